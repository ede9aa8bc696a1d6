// @ts-check
// One class out of a list. Up to ten classes: a digit each. More: type "/" and a few letters, digits choose among
// what is left. A widget is any module with `mount(place, schema, answer)` that returns what is documented here:
//   ask(item, earlier)   show this item's suggestion, and the earlier answer if it is being changed; what is drawn over
//                        the picture goes into #stage, which holds the <img> by then
//   press(event)         true if the key meant something
//   keys                 [key, what it does] for the key sheet
//   words(target)        a target as people read it
//   question(item)       what is asked, where it is not "What is it?"

import { element, key } from './parts.js';

const BY_DIGIT = 10;
const SHORT = 10; // letters up to which names stand in two columns

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: string) => void} answer */
export function mount(place, schema, answer) {
  const many = schema.classes.length > BY_DIGIT;
  const areDigits = schema.classes.every((name) => /^\d$/.test(name)); // then each key means itself
  const list = element('ul', 'opts');
  list.classList.toggle('two', schema.classes.length > 5 && schema.classes.every((name) => name.length <= SHORT));
  const rows = schema.classes.map((name) => row(name, answer));
  list.append(...rows.map((one) => one.item));
  const accept = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  accept.type = 'button';
  accept.hidden = true;
  const filter = many ? search() : null;
  /** @type {string | null} */ let suggested = null;

  const shown = () => rows.filter((one) => !one.item.hidden);
  const digitOf = (/** @type {{name: string}} */ one, /** @type {number} */ i) =>
    areDigits ? one.name : i < BY_DIGIT ? String((i + 1) % 10) : '';
  const narrow = () => {
    const wanted = (filter?.input.value ?? '').trim().toLocaleLowerCase();
    for (const one of rows) one.item.hidden = !one.name.toLocaleLowerCase().includes(wanted);
    list.classList.toggle('none', !shown().length);
    for (const one of rows) one.number('');
    shown().forEach((one, i) => one.number(digitOf(one, i)));
  };
  filter?.input.addEventListener('input', narrow);
  filter?.input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { filter.input.value = ''; narrow(); filter.input.blur(); }
    if (event.key !== 'Enter' || event.repeat || event.isComposing) return;
    event.preventDefault();
    const first = shown()[0];
    if (first && filter.input.value.trim()) { filter.input.blur(); answer(first.name); }
  });
  accept.addEventListener('click', () => { if (suggested !== null) answer(suggested); });
  place.replaceChildren(...(filter ? [filter.box] : []), list, accept);
  narrow();

  return {
    /** @param {import('./ahead.js').Item | null} item @param {unknown} earlier */
    ask(item, earlier) {
      const shares = item?.suggestion ?? null;
      suggested = shares ? best(shares) : null;
      // a class may be called "__proto__": only the share's own names count
      const share = (/** @type {string} */ name) => (shares && Object.hasOwn(shares, name) ? shares[name] : null);
      for (const one of rows) one.show(share(one.name), one.name === suggested, one.name === earlier);
      accept.hidden = suggested === null;
      accept.replaceChildren(`Yes, ${suggested}`, key('Enter'));
      if (filter && filter.input.value) { filter.input.value = ''; narrow(); }
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key === 'Enter') {
        if (suggested !== null) answer(suggested);
        return true;
      }
      if (event.key === '/' && filter) { filter.input.focus(); return true; }
      const digit = /^\d$/.test(event.key) ? event.key : event.shiftKey ? null : event.code.match(/^Digit(\d)$/)?.[1];
      if (!digit) return false;
      const chosen = shown().find((one, i) => digitOf(one, i) === digit);
      if (chosen) answer(chosen.name);
      return true;
    },
    keys: [
      ['0 – 9', many ? 'one of the first ten classes listed' : 'the class beside the digit'],
      ...(many ? [['/', 'find a class by a few letters; Enter takes the first']] : []),
      ['Enter', 'yes, as the model suggests'],
    ],
    /** @param {unknown} target */
    words: (target) => String(target),
  };
}

/** @param {string} name @param {(target: string) => void} answer */
function row(name, answer) {
  const item = element('li');
  const button = /** @type {HTMLButtonElement} */ (element('button'));
  button.type = 'button';
  button.addEventListener('click', () => answer(name));
  const text = element('span', 'name');
  text.textContent = name;
  const share = element('span', 'share small');
  const meter = /** @type {HTMLMeterElement} */ (element('meter', 'guess'));
  meter.setAttribute('aria-hidden', 'true');
  meter.hidden = true;
  const digit = key('');
  button.append(text, meter, share, digit);
  item.append(button);
  return {
    item, name,
    /** @param {string} n */
    number(n) { digit.textContent = n; digit.hidden = !n; },
    /** @param {number | null} p @param {boolean} best @param {boolean} earlier */
    show(p, best, earlier) {
      meter.hidden = p === null;
      meter.value = p ?? 0;
      share.textContent = p === null ? (best ? 'suggested' : '') : `${Math.round(p * 100)} %`;
      item.classList.toggle('suggested', best);
      button.setAttribute('aria-pressed', String(earlier));
    },
  };
}

function search() {
  const box = element('label', 'filter');
  const input = /** @type {HTMLInputElement} */ (element('input'));
  input.type = 'search';
  input.autocomplete = 'off';
  input.spellcheck = false;
  input.placeholder = 'find a class';
  input.setAttribute('aria-label', 'Find a class');
  box.append(input, key('/'));
  return { box, input };
}

/** @param {Record<string, number | null>} shares */
const best = (shares) => Object.entries(shares).sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0))[0]?.[0] ?? null;
