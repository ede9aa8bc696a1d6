// @ts-check
// A text as an answer to a text: a person writes it, or mends what is suggested. Ctrl+Enter sends it.
// A task's own widget says what is asked, and hands on the rest. The contract of a widget: web/static/choice.js.

import { element, key } from '/static/parts.js';
import { read } from '/static/text.js';

/**
 * @param {HTMLElement} place @param {(target: unknown) => void} answer
 * @param {{label: string, button: string, question: string, does: string, text?: (target: unknown) => string}} says
 */
export function ask(place, answer, says) {
  const text = says.text ?? plain;
  const box = /** @type {HTMLTextAreaElement} */ (element('textarea'));
  box.rows = 6;
  box.spellcheck = false;
  box.dir = 'auto';
  box.setAttribute('aria-label', says.label);
  box.style.width = '100%';
  const hint = element('p', 'small dim');
  const send = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  send.type = 'button';
  const give = () => { if (box.value) answer(box.value); };
  send.append(says.button, key('Ctrl+Enter'));
  send.addEventListener('click', give);
  box.addEventListener('input', () => { send.disabled = !box.value; });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing) { event.preventDefault(); give(); }
    if (event.key === 'Escape') box.blur();
    event.stopPropagation(); // letters are text here, not keys of the page
  });
  place.replaceChildren(box, hint, send);

  return {
    /** @param {{sample: string, suggestion?: unknown} | null} item @param {unknown} earlier */
    ask(item, earlier) {
      void read(item?.sample);
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
    keys: [['Ctrl+Enter', says.does], ['/', 'write'], ['Esc', 'leave the text']],
    /** @param {unknown} target */
    words: (target) => text(target).replaceAll('\n', ' ⏎ ').slice(0, 80),
    question: () => says.question,
  };
}

/** @param {unknown} target @returns {string} */
function plain(target) {
  return typeof target === 'string' ? target : '';
}
