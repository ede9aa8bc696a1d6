// @ts-check
// Boxes over the picture: drawn with the pointer or the keyboard, each of one class. What the model suggests stands there
// dashed, to be kept, changed or removed; Enter answers with what stands. The contract of a widget: choice.js.

import { element, key } from '/static/parts.js';

const SVG = 'http://www.w3.org/2000/svg';
const BY_DIGIT = 10;
const COLOURS = 6; // --c1 ... --c6 of the style sheet
const LEAST = 3; // pixels of the screen below which a drag is a click

/** @typedef {{class: string, box: number[], ignore?: boolean, suggested?: boolean}} Box */

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
  const list = element('ul', 'opts');
  const accept = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  accept.type = 'button';
  const hint = element('p', 'small dim');
  hint.textContent = 'Drag over the picture to draw a box; press a box to choose it, its corners to change it.';
  /** @type {Box[]} */ let boxes = [];
  /** @type {Box | null} */ let chosen = null;
  /** @type {SVGSVGElement | null} */ let canvas = null;
  let kind = schema.classes[0] ?? '';
  let size = [1, 1];

  const rows = schema.classes.map((name, number) => {
    const item = element('li');
    const button = /** @type {HTMLButtonElement} */ (element('button'));
    button.type = 'button';
    const dot = element('span', `dot c${(number % COLOURS) + 1}`);
    const text = element('span', 'name');
    text.textContent = name;
    const count = element('span', 'share small');
    const digit = element('kbd');
    digit.textContent = number < BY_DIGIT ? String((number + 1) % 10) : '';
    digit.hidden = number >= BY_DIGIT;
    digit.setAttribute('aria-hidden', 'true');
    button.append(dot, text, count, digit);
    button.addEventListener('click', () => take(name));
    item.append(button);
    return { item, button, name, count };
  });
  list.append(...rows.map((one) => one.item));
  accept.addEventListener('click', () => done());
  place.replaceChildren(list, hint, accept);

  /** A class is meant: for the chosen box, and for those drawn next. @param {string} name */
  function take(name) {
    kind = name;
    if (chosen) { chosen.class = name; chosen.suggested = false; }
    draw();
  }

  function done() {
    answer(boxes.map(({ class: name, box, ignore }) => ({ class: name, box: box.map(tenth), ...(ignore ? { ignore } : {}) })));
  }

  function draw() {
    for (const one of rows) {
      const n = boxes.filter((box) => box.class === one.name).length;
      one.count.textContent = n ? String(n) : '';
      one.button.setAttribute('aria-pressed', String(one.name === (chosen?.class ?? kind)));
    }
    accept.replaceChildren(boxes.length ? `Done: ${words(boxes)}` : 'There is nothing', key('Enter'));
    accept.hidden = !canvas; // what was not seen is not answered
    if (!canvas) return;
    canvas.replaceChildren(...boxes.filter((box) => box !== chosen).map(shape), ...(chosen ? [shape(chosen), ...corners(chosen)] : []));
  }

  /** @param {Box} one */
  function shape(one) {
    const group = document.createElementNS(SVG, 'g');
    group.classList.add('mark', `c${(schema.classes.indexOf(one.class) % COLOURS) + 1}`);
    group.classList.toggle('chosen', one === chosen);
    group.classList.toggle('suggested', Boolean(one.suggested));
    const [left, top, right, bottom] = one.box;
    const face = document.createElementNS(SVG, 'rect');
    attributes(face, { x: left, y: top, width: right - left, height: bottom - top });
    const name = document.createElementNS(SVG, 'text');
    attributes(name, { x: left, y: top - 3 * scale(), 'font-size': 13 * scale() });
    name.textContent = one.class;
    group.append(face, name);
    group.addEventListener('pointerdown', (event) => { event.stopPropagation(); chosen = one; draw(); drag(event, one, [1, 1, 1, 1]); });
    return group;
  }

  /** @param {Box} one */
  function corners(one) {
    return [[0, 1], [2, 1], [2, 3], [0, 3]].map(([x, y]) => {
      const knob = document.createElementNS(SVG, 'circle');
      knob.classList.add('knob');
      attributes(knob, { cx: one.box[x], cy: one.box[y], r: 6 * scale() });
      knob.addEventListener('pointerdown', (event) => {
        event.stopPropagation();
        drag(event, one, [0, 1, 2, 3].map((side) => Number(side === x || side === y)));
      });
      return knob;
    });
  }

  /** Pixels of the picture to one of the screen. */
  const scale = () => {
    const seen = canvas?.getBoundingClientRect();
    return seen ? Math.max(size[0] / (seen.width || 1), size[1] / (seen.height || 1)) : 1;
  };

  /** @param {MouseEvent} event */
  function at(event) {
    const matrix = canvas?.getScreenCTM()?.inverse();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return [clip(point.x, 0, size[0]), clip(point.y, 0, size[1])];
  }

  /** Follow the pointer until it is let go. @param {PointerEvent} event @param {Box} one @param {number[]} moves which sides */
  function drag(event, one, moves) {
    if (!canvas || event.button !== 0) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    const surface = canvas, [x0, y0] = at(event), before = [...one.box];
    surface.setPointerCapture(event.pointerId);
    const follow = (/** @type {PointerEvent} */ now) => {
      const [x, y] = at(now);
      one.box = moved(before, moves, x - x0, y - y0, size);
      one.suggested = false;
      draw();
    };
    const end = () => {
      surface.removeEventListener('pointermove', follow);
      surface.removeEventListener('pointerup', end);
      surface.removeEventListener('pointercancel', end);
      one.box = upright(one.box);
      const least = LEAST * scale();
      if (one.box[2] - one.box[0] < least || one.box[3] - one.box[1] < least) remove(one);
      draw();
    };
    surface.addEventListener('pointermove', follow);
    surface.addEventListener('pointerup', end);
    surface.addEventListener('pointercancel', end);
  }

  /** @param {Box} one */
  function remove(one) {
    boxes = boxes.filter((box) => box !== one);
    if (chosen === one) chosen = null;
  }

  /** @param {number[]} box */
  function add(box) {
    const made = { class: kind, box };
    boxes.push(made);
    chosen = made;
    draw();
    return made;
  }

  return {
    /** @param {import('../../web/static/ahead.js').Item | null} item @param {unknown} earlier */
    ask(item, earlier) {
      canvas?.remove();
      canvas = null;
      chosen = null;
      const image = stage.querySelector('img');
      const known = Array.isArray(earlier) ? earlier : Array.isArray(item?.suggestion) ? item.suggestion : [];
      const isModels = !Array.isArray(earlier);
      boxes = item ? known.map((one) => ({ class: one.class, box: [...one.box], ignore: one.ignore, suggested: isModels })) : [];
      if (item && image) {
        size = [image.naturalWidth, image.naturalHeight];
        canvas = document.createElementNS(SVG, 'svg');
        attributes(canvas, { viewBox: `0 0 ${size[0]} ${size[1]}`, role: 'img', 'aria-label': 'Boxes over the picture' });
        canvas.classList.add('boxes');
        canvas.addEventListener('pointerdown', (event) => {
          const [x, y] = at(event);
          drag(event, add([x, y, x, y]), [0, 0, 1, 1]);
        });
        stage.append(canvas);
      }
      draw();
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key === 'Enter') { done(); return true; }
      if (!canvas) return false;
      if (event.key === 'Escape') { chosen = null; draw(); return true; }
      if (event.key === 'n' || event.key === 'p') {
        const now = chosen ? boxes.indexOf(chosen) : event.key === 'n' ? -1 : 0;
        chosen = boxes.at((now + (event.key === 'n' ? 1 : -1)) % (boxes.length || 1)) ?? null;
        draw();
        return true;
      }
      if (event.key === 'b') {
        add([0.375 * size[0], 0.375 * size[1], 0.625 * size[0], 0.625 * size[1]]);
        return true;
      }
      if (event.key === 'c') { boxes = []; chosen = null; draw(); return true; }
      if ((event.key === 'Delete' || event.key === 'Backspace' || event.key === 'd') && chosen) { remove(chosen); draw(); return true; }
      const way = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key];
      if (way && chosen) {
        const step = Math.max(1, Math.round(Math.max(...size) / 100));
        const moves = event.shiftKey ? [0, 0, 1, 1] : [1, 1, 1, 1];
        chosen.box = upright(moved(chosen.box, moves, way[0] * step, way[1] * step, size));
        chosen.suggested = false;
        draw();
        return true;
      }
      const digit = /^\d$/.test(event.key) ? event.key : event.shiftKey ? null : event.code.match(/^Digit(\d)$/)?.[1];
      if (!digit) return false;
      const name = schema.classes[(Number(digit) + 9) % 10];
      if (name !== undefined) take(name);
      return true;
    },
    keys: [
      ['drag', 'draw a box, or move the one under the pointer'],
      ['0 – 9', 'the class beside the digit, for the chosen box and the next'],
      ['N P', 'choose the next box, the one before'],
      ['B', 'a box in the middle'],
      ['← → ↑ ↓', 'move the chosen box; with Shift its lower right corner'],
      ['D', 'remove the chosen box'],
      ['C', 'remove all'],
      ['Enter', 'this is all there is'],
    ],
    /** @param {unknown} target */
    words: (target) => words(/** @type {Box[]} */ (target)),
    /** @param {import('../../web/static/ahead.js').Item} item */
    question: (item) => (item.suggestion ? 'Is all of it marked, and right?' : 'What is there, and where?'),
  };
}

/** @param {Box[]} boxes */
function words(boxes) {
  /** @type {Map<string, number>} */ const counts = new Map();
  for (const one of boxes) counts.set(one.class, (counts.get(one.class) ?? 0) + 1);
  return [...counts].sort().map(([name, n]) => `${n} ${name}`).join(', ') || 'nothing';
}

/** @param {number[]} box @param {number[]} moves @param {number} x @param {number} y @param {number[]} size */
function moved(box, moves, x, y, size) {
  if (moves.every(Boolean)) { // as a whole: it stops at the border and keeps its size
    x = clip(x, -box[0], size[0] - box[2]);
    y = clip(y, -box[1], size[1] - box[3]);
  }
  return box.map((side, number) => (moves[number] ? clip(side + (number % 2 ? y : x), 0, size[number % 2]) : side));
}

/** @param {number[]} box */
const upright = ([a, b, c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];

/** @param {number} value @param {number} low @param {number} high */
const clip = (value, low, high) => Math.max(low, Math.min(high, value));

/** @param {number} value */
const tenth = (value) => Math.round(value * 10) / 10;

/** @param {Element} at @param {Record<string, string | number>} values */
function attributes(at, values) {
  for (const [name, value] of Object.entries(values)) at.setAttribute(name, String(value));
}
