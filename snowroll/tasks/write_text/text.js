// @ts-check
// What follows? A person writes it, or mends what is suggested. Ctrl+Enter sends it.
// The contract of a widget: web/static/choice.js.

import { element, key } from '/static/parts.js';

/** @param {HTMLElement} place @param {{characters: string}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const box = /** @type {HTMLTextAreaElement} */ (element('textarea'));
  box.rows = 6;
  box.spellcheck = false;
  box.setAttribute('aria-label', 'What follows');
  box.style.width = '100%';
  const hint = element('p', 'small dim');
  const send = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  send.type = 'button';
  const give = () => { if (box.value) answer(box.value); };
  send.append('This follows', key('Ctrl+Enter'));
  send.addEventListener('click', give);
  box.addEventListener('input', () => { send.disabled = !box.value; });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing) { event.preventDefault(); give(); }
    if (event.key === 'Escape') box.blur();
    event.stopPropagation(); // letters are text here, not keys of the page
  });
  place.replaceChildren(box, hint, send);

  return {
    /** @param {{suggestion?: unknown} | null} item @param {unknown} earlier */
    ask(item, earlier) {
      box.value = text(earlier ?? item?.suggestion);
      hint.textContent = item && box.value ? 'Suggested: mend it, or send it as it is.' : '';
      send.disabled = !box.value;
      if (item) box.focus();
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { give(); return true; }
      if (event.key === '/') { box.focus(); return true; }
      return false;
    },
    keys: [['Ctrl+Enter', 'this follows'], ['/', 'write'], ['Esc', 'leave the text']],
    /** @param {unknown} target */
    words: (target) => text(target).replaceAll('\n', ' ⏎ ').slice(0, 80),
    question: () => 'What follows?',
  };
}

/** A target's text: alone, or beside the letters of its passage. @param {unknown} target @returns {string} */
function text(target) {
  if (target && typeof target === 'object' && 'follows' in target) return String(target.follows);
  return typeof target === 'string' ? target : '';
}
