// @ts-check
// Which word is said? A choice; space plays the recording again. The contract of a widget: web/static/choice.js.

import { mount as choose } from '/static/choice.js';

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const choice = choose(place, schema, answer);
  return {
    ask: choice.ask,
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.code !== 'Space') return choice.press(event);
      const sound = /** @type {HTMLAudioElement | null} */ (document.querySelector('#stage audio'));
      if (sound?.paused) { sound.currentTime = 0; void sound.play(); } else sound?.pause();
      return true;
    },
    keys: [...choice.keys, ['Space', 'play, or stop']],
    words: choice.words,
    question: () => 'Which word is said?',
  };
}
