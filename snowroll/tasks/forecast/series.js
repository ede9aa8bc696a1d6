// @ts-check
// What followed? A person writes the values that came, a line for each step, or mends the forecast.

import { ask } from '/static/writing.js';

/** @param {HTMLElement} place @param {{targets?: string[], horizon?: number}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const wide = schema.targets?.length ?? 1;
  const names = wide > 1 ? `, ${schema.targets?.join(', ')} in each` : '';
  return ask(place, (text) => answer(read(String(text), wide)), {
    label: `What followed: a line for each step${names}`,
    button: 'This followed', question: `What followed? A line for each step${names}`, does: 'this followed', text: spell,
  });
}

/** Lines of numbers as a target; what is no number is not known. @param {string} text @param {number} wide */
function read(text, wide) {
  const rows = text.trim().split(/\n/).map((line) => line.trim().split(/[\s;,]+/).map(number));
  return { follows: rows.map((row) => Array.from({ length: wide }, (_, place) => row[place] ?? null)) };
}

/** @param {string} cell @returns {number | null} */
function number(cell) {
  const value = Number(cell);
  return cell !== '' && Number.isFinite(value) ? value : null;
}

/** @param {unknown} target @returns {string} */
function spell(target) {
  if (!target || typeof target !== 'object' || !('follows' in target) || !Array.isArray(target.follows)) return '';
  return target.follows.map((row) => row.map((/** @type {unknown} */ v) => (v === null ? '?' : String(v))).join(', ')).join('\n');
}
