// @ts-check
// A mask painted over the picture: a brush for each class. What the model suggests, or the mask as it stands, is painted
// already; Enter answers with what is there. The contract of a widget: web/static/choice.js.

import { element, key } from '/static/parts.js';

const BY_DIGIT = 10;
const IGNORED = 255;
const GROUNDS = ['background', 'ground', '0', 'nothing', 'other', 'void'];
// as mask_pictures.py's, so that a class has one colour everywhere
const COLOURS = [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66]];
const PLAIN = ['background', 'ground', 'nothing', '0']; // as mask_pictures.py's: not painted over, so that things are seen
const STROKES = 20; // that U can take back

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
  const list = element('ul', 'opts');
  const accept = /** @type {HTMLButtonElement} */ (element('button', 'go accept'));
  accept.type = 'button';
  accept.append('Done', key('Enter'));
  accept.addEventListener('click', () => done());
  const hint = element('p', 'small dim');
  hint.textContent = 'Paint over the picture; [ and ] change the brush, F fills a region, H hides the mask.';
  /** @type {HTMLCanvasElement | null} */ let canvas = null;
  /** @type {CanvasRenderingContext2D | null} */ let pen = null;
  let mask = new Uint8Array(), size = [1, 1], radius = 6, kind = 0, isHidden = false;
  /** @type {Uint8Array[]} */ let before = [];
  /** @type {number[] | null} */ let pointer = null;
  /** Counts questions, so that a mask that was decoded late is not painted over the next. */ let turn = 0;

  const isPlain = schema.classes.map((name) => PLAIN.includes(name.toLowerCase()));
  const rows = schema.classes.map((name, number) => {
    const item = element('li');
    const button = /** @type {HTMLButtonElement} */ (element('button'));
    button.type = 'button';
    const dot = element('span', 'dot');
    if (isPlain[number]) dot.style.boxShadow = 'inset 0 0 0 1px currentColor';
    else dot.style.background = `rgb(${colour(number).join(' ')})`;
    const text = element('span', 'name');
    text.textContent = name;
    const share = element('span', 'share small');
    const digit = key(number < BY_DIGIT ? String((number + 1) % 10) : '');
    digit.hidden = number >= BY_DIGIT;
    button.append(dot, text, share, digit);
    button.addEventListener('click', () => { kind = number; told(); });
    item.append(button);
    return { item, button, share };
  });
  list.append(...rows.map((one) => one.item));
  place.replaceChildren(list, hint, accept);

  function told() {
    accept.hidden = !canvas; // what was not seen is not answered
    const counts = new Uint32Array(256);
    for (const value of mask) counts[value]++;
    rows.forEach((one, number) => {
      const percent = mask.length ? Math.round((100 * counts[number]) / mask.length) : 0;
      one.share.textContent = counts[number] ? `${percent || '<1'} %` : '';
      one.button.setAttribute('aria-pressed', String(number === kind));
    });
  }

  /** Paint the canvas from the mask, within these sides. */
  function show(x0 = 0, y0 = 0, x1 = size[0], y1 = size[1]) {
    if (!pen || x1 <= x0 || y1 <= y0) return;
    const image = pen.createImageData(x1 - x0, y1 - y0);
    for (let y = y0, at = 0; y < y1; y++) {
      for (let x = x0; x < x1; x++, at += 4) {
        const value = mask[y * size[0] + x];
        const [red, green, blue] = value === IGNORED ? [0, 0, 0] : colour(value);
        image.data[at] = red;
        image.data[at + 1] = green;
        image.data[at + 2] = blue;
        image.data[at + 3] = isHidden || isPlain[value] ? 0 : 120;
      }
    }
    pen.putImageData(image, x0, y0);
  }

  function keep() { before = [...before.slice(1 - STROKES), mask.slice()]; }

  /** @param {number[]} from @param {number[]} to */
  function stroke(from, to) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(1, radius / 2)));
    for (let step = 0; step <= steps; step++) {
      dab(from[0] + ((to[0] - from[0]) * step) / steps, from[1] + ((to[1] - from[1]) * step) / steps);
    }
    const pad = radius + 2;
    show(Math.max(0, Math.floor(Math.min(from[0], to[0]) - pad)), Math.max(0, Math.floor(Math.min(from[1], to[1]) - pad)),
      Math.min(size[0], Math.ceil(Math.max(from[0], to[0]) + pad)), Math.min(size[1], Math.ceil(Math.max(from[1], to[1]) + pad)));
  }

  /** @param {number} cx @param {number} cy */
  function dab(cx, cy) {
    for (let y = Math.max(0, Math.floor(cy - radius)); y <= Math.min(size[1] - 1, cy + radius); y++) {
      for (let x = Math.max(0, Math.floor(cx - radius)); x <= Math.min(size[0] - 1, cx + radius); x++) {
        if ((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= Math.max(0.5, radius ** 2)) mask[y * size[0] + x] = kind;
      }
    }
  }

  /** The region of one value around the pointer becomes the chosen class. */
  function fill() {
    if (!pointer) return;
    const [x0, y0] = pointer.map(Math.floor), was = mask[y0 * size[0] + x0];
    if (was === kind || was === undefined) return;
    keep();
    const open = [y0 * size[0] + x0];
    mask[open[0]] = kind;
    while (open.length) {
      const at = /** @type {number} */ (open.pop()), x = at % size[0];
      for (const next of [x > 0 ? at - 1 : -1, x < size[0] - 1 ? at + 1 : -1, at - size[0], at + size[0]]) {
        if (next >= 0 && next < mask.length && mask[next] === was) { mask[next] = kind; open.push(next); }
      }
    }
    show();
    told();
  }

  /** @param {MouseEvent} event */
  function at(event) {
    const seen = /** @type {HTMLCanvasElement} */ (canvas).getBoundingClientRect();
    const scale = Math.min(seen.width / size[0], seen.height / size[1]);
    const left = seen.left + (seen.width - size[0] * scale) / 2, top = seen.top + (seen.height - size[1] * scale) / 2;
    return [(event.clientX - left) / scale, (event.clientY - top) / scale];
  }

  function done() {
    if (!canvas) return;
    const out = document.createElement('canvas');
    [out.width, out.height] = size;
    const ink = /** @type {CanvasRenderingContext2D} */ (out.getContext('2d'));
    const image = ink.createImageData(size[0], size[1]);
    mask.forEach((value, place) => image.data.set([value, value, value, 255], 4 * place));
    ink.putImageData(image, 0, 0);
    answer({ mask: out.toDataURL('image/png').split(',')[1], classes: schema.classes });
  }

  /** The values of a mask that is kept, as places in the schema. @param {{mask: string, classes: string[]}} target */
  async function opened(target) {
    const raw = Uint8Array.from(atob(target.mask), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([raw], { type: 'image/png' }), { colorSpaceConversion: 'none' });
    const table = new Uint8Array(256).fill(IGNORED);
    target.classes.forEach((name, value) => {
      const number = schema.classes.indexOf(name);
      if (number >= 0) table[value] = number;
    });
    const sheet = document.createElement('canvas');
    [sheet.width, sheet.height] = size;
    const ink = /** @type {CanvasRenderingContext2D} */ (sheet.getContext('2d', { willReadFrequently: true }));
    ink.imageSmoothingEnabled = false;
    ink.drawImage(bitmap, 0, 0, size[0], size[1]);
    const pixels = ink.getImageData(0, 0, size[0], size[1]).data;
    return Uint8Array.from({ length: size[0] * size[1] }, (_, place) => table[pixels[4 * place]]);
  }

  function ground() {
    const named = schema.classes.findIndex((name) => GROUNDS.includes(name.toLowerCase()));
    return named < 0 ? 0 : named;
  }

  return {
    /** @param {import('../../web/static/ahead.js').Item | null} item @param {any} earlier */
    ask(item, earlier) {
      const mine = ++turn;
      canvas?.remove();
      canvas = pen = null;
      before = [];
      const image = stage.querySelector('img');
      if (!item || !image) { mask = new Uint8Array(); told(); return; }
      size = [image.naturalWidth, image.naturalHeight];
      radius = Math.max(2, Math.round(Math.max(...size) / 50));
      mask = new Uint8Array(size[0] * size[1]).fill(ground());
      if (kind === ground() && schema.classes.length > 1) kind = kind ? 0 : 1;
      canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = size;
      canvas.className = 'boxes paint';
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', 'The mask over the picture');
      pen = canvas.getContext('2d');
      canvas.addEventListener('pointermove', (event) => { pointer = at(event); });
      canvas.addEventListener('pointerdown', paint);
      stage.append(canvas);
      const known = earlier?.mask ? earlier : item.suggestion?.mask ? item.suggestion : null;
      show();
      told();
      if (known) opened(known).then((found) => { if (mine === turn) { mask = found; show(); told(); } });
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key === 'Enter') { done(); return true; }
      if (!canvas) return false;
      if (event.key === '[' || event.key === ']') {
        radius = Math.max(0.5, radius * (event.key === ']' ? 1.5 : 1 / 1.5));
        return true;
      }
      if (event.key === 'f') { fill(); return true; }
      if (event.key === 'h') { isHidden = !isHidden; show(); return true; }
      if (event.key === 'u') { mask = before.pop() ?? mask; show(); told(); return true; }
      const digit = /^\d$/.test(event.key) ? event.key : event.shiftKey ? null : event.code.match(/^Digit(\d)$/)?.[1];
      if (!digit) return false;
      const number = (Number(digit) + 9) % 10;
      if (number < schema.classes.length) { kind = number; told(); }
      return true;
    },
    keys: [
      ['drag', 'paint with the chosen class'],
      ['0 – 9', 'the class beside the digit'],
      ['[ ]', 'a smaller, a larger brush'],
      ['F', 'fill the region under the pointer'],
      ['U', 'take the last stroke back'],
      ['H', 'hide or show the mask'],
      ['Enter', 'the mask is right'],
    ],
    /** @param {any} target */
    words: (target) => `${target.classes.filter(Boolean).length} classes`,
    /** @param {import('../../web/static/ahead.js').Item} item */
    question: (item) => (item.suggestion ? 'Is the mask right?' : 'Which pixels are what?'),
  };

  /** @param {PointerEvent} event */
  function paint(event) {
    if (!canvas || event.button !== 0) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    keep();
    const surface = canvas;
    let last = at(event);
    surface.setPointerCapture(event.pointerId);
    stroke(last, last);
    const follow = (/** @type {PointerEvent} */ now) => { const next = at(now); stroke(last, next); last = next; };
    const end = () => {
      surface.removeEventListener('pointermove', follow);
      surface.removeEventListener('pointerup', end);
      surface.removeEventListener('pointercancel', end);
      told();
    };
    surface.addEventListener('pointermove', follow);
    surface.addEventListener('pointerup', end);
    surface.addEventListener('pointercancel', end);
  }
}

/** @param {number} number */
function colour(number) {
  if (number < COLOURS.length) return COLOURS[number];
  const hue = ((number * 0.618) % 1) * 6, part = Math.floor(hue), rest = hue - part;
  const high = 0.9, low = high * 0.35, down = high * (1 - 0.65 * rest), up = high * (1 - 0.65 * (1 - rest));
  const shades = [[high, up, low], [down, high, low], [low, high, up], [low, down, high], [up, low, high], [high, low, down]];
  return shades[part % 6].map((share) => Math.round(255 * share));
}
