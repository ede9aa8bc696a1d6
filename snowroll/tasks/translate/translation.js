// @ts-check
// What does it say in the other language? A person writes it, or mends what is suggested.

import { ask } from '/static/writing.js';

/** @param {HTMLElement} place @param {{target?: string}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const into = schema.target ? ` (${schema.target})` : '';
  return ask(place, answer, {
    label: 'The translation', button: 'It says this', question: `What does it say${into}?`, does: 'it says this',
  });
}
