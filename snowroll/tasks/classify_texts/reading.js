// @ts-check
// What is this text? A choice; the text stands there as text. The contract of a widget: web/static/choice.js.

import { mount as choose } from '/static/choice.js';
import { read } from '/static/text.js';

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const choice = choose(place, schema, answer);
  return {
    ...choice,
    /** @param {import('/static/ahead.js').Item | null} item @param {unknown} earlier */
    ask(item, earlier) {
      void read(item?.sample);
      choice.ask(item, earlier);
    },
    question: (/** @type {import('/static/ahead.js').Item} */ item) =>
      item.suggestion ? 'Is the model right?' : 'What is this text?',
  };
}
