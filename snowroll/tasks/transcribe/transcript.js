// @ts-check
// What is said? A person listens, and writes it or mends what is suggested. Ctrl+Enter sends it, Ctrl+Space plays.
// The contract of a widget: web/static/choice.js.

import { element, key } from '/static/parts.js';
import { hear, play } from '/static/sound.js';

/** @param {HTMLElement} place @param {unknown} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const box = /** @type {HTMLTextAreaElement} */ (element('textarea'));
  box.rows = 3;
  box.spellcheck = false;
  box.setAttribute('aria-label', 'What is said');
  box.style.width = '100%';
  const hint = element('p', 'small dim');
  const send = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  send.type = 'button';
  const give = () => answer(box.value.trim());
  const label = element('span');
  send.append(label, key('Ctrl+Enter'));
  send.addEventListener('click', give);
  const named = () => { label.textContent = box.value.trim() ? 'This is said' : 'Nothing is said'; };
  box.addEventListener('input', named);
  const isSend = (/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing;
  const isPlay = (/** @type {KeyboardEvent} */ event) => event.code === 'Space' && (event.ctrlKey || event.metaKey);
  box.addEventListener('keydown', (event) => {
    if (isSend(event)) { event.preventDefault(); give(); }
    if (isPlay(event)) { event.preventDefault(); play(); }
    if (event.key === 'Escape') box.blur();
    event.stopPropagation(); // letters are text here, not keys of the page
  });
  place.replaceChildren(box, hint, send);

  return {
    /** @param {{sample: string, suggestion?: unknown} | null} item @param {unknown} earlier */
    ask(item, earlier) {
      void hear(item?.sample);
      box.value = String(earlier ?? item?.suggestion ?? '');
      hint.textContent = item && box.value ? 'Suggested: mend it, or send it as it is.' : '';
      named();
      if (item) box.focus();
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (isSend(event)) { give(); return true; }
      if (isPlay(event) || event.key.toLowerCase() === 'p') { play(); return true; }
      if (event.key === '/') { box.focus(); return true; }
      return false;
    },
    keys: [['Ctrl+Enter', 'this is said'], ['Ctrl+Space or P', 'play, or stop'], ['/', 'write'], ['Esc', 'leave the text']],
    /** @param {unknown} target */
    words: (target) => String(target) || '(nothing)',
    question: () => 'What is said?',
  };
}
