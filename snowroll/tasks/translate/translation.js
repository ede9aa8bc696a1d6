// @ts-check
// How is it said in the other language? A person writes it, or mends what is suggested.

import { ask } from '/static/writing.js';

/** @param {HTMLElement} place @param {unknown} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  return ask(place, answer, {
    label: 'The translation', button: 'Save translation', question: 'What is the translation?', does: 'save the translation',
  });
}
