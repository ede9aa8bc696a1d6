// @ts-check
// What follows? A person writes it, or mends what is suggested.

import { ask } from '/static/writing.js';

/** @param {HTMLElement} place @param {{characters: string}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  return ask(place, answer, {
    label: 'What follows', button: 'Save what follows', question: 'What follows?', does: 'save what follows', text,
  });
}

/** A target's text: alone, or beside the letters of its passage. @param {unknown} target @returns {string} */
function text(target) {
  if (target && typeof target === 'object' && 'follows' in target) return String(target.follows);
  return typeof target === 'string' ? target : '';
}
