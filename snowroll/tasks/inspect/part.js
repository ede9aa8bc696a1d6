// @ts-check
// Good or faulty, and of which kind: a choice, with the model's heat over the picture. H hides the heat.
// The contract of a widget: web/static/choice.js.

import { mount as choose } from '/static/choice.js';
import { element } from '/static/parts.js';

const HOT = [230, 60, 20]; // as drawing.py's
const AT_ONE = 100, FROM = 0.5, FULL = 1.5; // grey levels of a map's 1 (parts.py); heat that begins to show, shows fully

/** @typedef {{class: string, score?: number, map?: string}} Said */

/** @param {HTMLElement} place @param {{classes: string[]}} schema @param {(target: unknown) => void} answer */
export function mount(place, schema, answer) {
  const stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
  const list = element('div');
  list.style.display = 'contents'; // its parts are laid out as the page lays out a widget's
  const hint = element('p', 'small dim');
  place.replaceChildren(list, hint);
  const choice = choose(list, schema, answer);
  /** @type {HTMLCanvasElement | null} */ let heat = null;
  let isHidden = false, turn = 0;

  return {
    /** @param {{suggestion?: Said | null} | null} item @param {unknown} earlier */
    ask(item, earlier) {
      heat?.remove();
      heat = null;
      const said = item?.suggestion ?? null;
      const kind = typeof said === 'string' ? said : said?.class;
      choice.ask(item && { ...item, suggestion: kind ? { [kind]: null } : null }, name(earlier));
      hint.textContent = said?.score === undefined ? '' : `Score ${said.score.toFixed(2)}: above 1 a part is told as faulty. H: heat on or off.`;
      if (said?.map) paint(said.map, ++turn);
    },
    /** @param {KeyboardEvent} event */
    press(event) {
      if (event.key.toLowerCase() === 'h') {
        isHidden = !isHidden;
        if (heat) heat.hidden = isHidden;
        return true;
      }
      return choice.press(event);
    },
    get keys() { return [...choice.keys, ['H', 'heat on or off']]; },
    /** @param {unknown} target */
    words: (target) => name(target) ?? '',
    question: () => 'Good, or what is wrong?',
  };

  /** @param {string} map @param {number} mine */
  async function paint(map, mine) {
    const picture = /** @type {HTMLImageElement | null} */ (stage.querySelector('img'));
    const raw = Uint8Array.from(atob(map), (letter) => letter.charCodeAt(0));
    const grey = await createImageBitmap(new Blob([raw], { type: 'image/png' }), { colorSpaceConversion: 'none' });
    if (mine !== turn || !picture) return; // the next part is shown already
    const canvas = /** @type {HTMLCanvasElement} */ (element('canvas', 'boxes paint'));
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    canvas.setAttribute('aria-hidden', 'true');
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    pen.drawImage(grey, 0, 0, canvas.width, canvas.height);
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const strength = Math.min(1, Math.max(0, (pixels.data[i] / AT_ONE - FROM) / (FULL - FROM)));
      pixels.data.set([...HOT, Math.round(180 * strength)], i);
    }
    pen.putImageData(pixels, 0, 0);
    canvas.style.pointerEvents = 'none';
    canvas.hidden = isHidden;
    stage.append(canvas);
    heat = canvas;
  }
}

/** @param {unknown} target @returns {string | null} */
function name(target) {
  if (target && typeof target === 'object' && 'class' in target) return String(target.class);
  return typeof target === 'string' ? target : null;
}
