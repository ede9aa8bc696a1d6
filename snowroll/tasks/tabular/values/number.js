// @ts-check
// Which number belongs to this row? It is typed in, or what is suggested is accepted. Enter sends it.
// The contract of a widget: web/static/choice.js.

import { element, key } from '/static/parts.js';

/**
 * @param {HTMLElement} place @param {{low?: number, high?: number, whole?: boolean, target?: string, unit?: string}} schema
 * @param {(target: unknown) => void} answer
 */
export function mount(place, schema, answer) {
  const name = schema.target ?? 'the number';
  const box = /** @type {HTMLInputElement} */ (element('input'));
  box.type = 'text'; // a number field would swallow what it cannot read
  box.inputMode = 'decimal';
  box.autocomplete = 'off';
  box.spellcheck = false;
  box.setAttribute('aria-label', name);
  Object.assign(box.style, {
    width: '100%', font: 'inherit', color: 'var(--ink)', background: 'var(--ice)', padding: '.5rem .8rem',
    border: '1px solid var(--slate)', borderRadius: '.45rem',
  });
  const hint = element('p', 'small dim');
  const send = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  send.type = 'button';
  send.append('That is it', key('Enter'));
  /** @type {number | null} */ let asked = null; // a number far outside of all others is asked about once more

  const give = () => {
    const value = read(box.value);
    if (value === null) return;
    if (isOdd(value) && asked !== value) {
      asked = value;
      hint.textContent = `${words(value)} is far from all that is known (${range()}). Enter once more if it is right.`;
      return;
    }
    answer(value);
  };
  const isOdd = (/** @type {number} */ value) => {
    const { low, high } = schema;
    if (low === undefined || high === undefined) return false;
    const room = (high - low) / 2;
    return value < low - room || value > high + room;
  };
  const range = () => (schema.low === undefined || schema.high === undefined ? '' : `${words(schema.low)} to ${words(schema.high)}`);
  const told = () => {
    const value = read(box.value);
    send.disabled = value === null;
    hint.textContent = box.value && value === null ? 'No number: digits, with a point before decimals.' : plain;
  };
  let plain = '';

  send.addEventListener('click', give);
  box.addEventListener('input', told);
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.repeat && !event.isComposing) { event.preventDefault(); give(); }
    if (event.key === 'Escape') box.blur();
    event.stopPropagation(); // digits are text here, not keys of the page
  });
  place.replaceChildren(box, hint, send);

  return {
    /** @param {{suggestion?: unknown} | null} item @param {unknown} earlier */
    ask(item, earlier) {
      const known = earlier ?? item?.suggestion;
      asked = null;
      box.value = typeof known === 'number' ? String(known) : '';
      plain = item && box.value ? 'Suggested: mend it, or send it as it is.' : range() && `So far: ${range()}${schema.unit ? ` ${schema.unit}` : ''}.`;
      told();
      if (item) { box.focus(); box.select(); }
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key === 'Enter') { give(); return true; }
      if (event.key === '/') { box.focus(); return true; }
      return false;
    },
    keys: [['Enter', 'that is it'], ['/', 'write'], ['Esc', 'leave the field']],
    words: (/** @type {unknown} */ target) => (typeof target === 'number' ? words(target) : ''),
    question: () => `How much is ${name}?`,
  };
}

/** A number as it is typed: a comma stands before decimals where no point does. @param {string} text @returns {number | null} */
function read(text) {
  const bare = text.replace(/[\s']/g, '').replace('\u2212', '-');
  const digits = bare.includes('.') || (bare.match(/,/g) ?? []).length > 1 ? bare.replaceAll(',', '') : bare.replace(',', '.');
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?$/i.test(digits)) return null;
  const value = Number(digits);
  return Number.isFinite(value) ? value : null;
}

/** @param {number} value */
function words(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 8 });
}
