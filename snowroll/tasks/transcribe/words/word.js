// @ts-check
// Which word is said? A choice; P plays the recording. The contract of a widget: web/static/choice.js.

import { mount as choose } from '/static/choice.js';
import { hear, play } from '/static/sound.js';

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const choice = choose(place, schema, answer);
  return {
    /** @param {import('/static/ahead.js').Item | null} item @param {unknown} earlier */
    ask(item, earlier) {
      void hear(item?.sample);
      choice.ask(item, earlier);
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key.toLowerCase() !== 'p') return choice.press(event);
      play();
      return true;
    },
    keys: [...choice.keys, ['P', 'play, or stop']],
    words: choice.words,
    question: () => 'Which word is said?',
  };
}
