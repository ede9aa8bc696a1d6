// @ts-check
// The queue ahead: the next questions with their pictures, fetched and decoded before they are needed.

import { Away, bytes, json, pause, sleep } from './api.js';

/** @typedef {{sample: string, why: string, suggestion: any, blind: boolean, picture: Promise<HTMLImageElement>}} Item */

const DEPTH = 10; // questions fetched at once: decisions a second times the round trip, plus two, and some
const LANES = 4; // pictures fetched at once; a browser has six ways to a server, and decisions need one

export class Ahead extends EventTarget {
  /** @type {Item[]} */ #items = [];
  /** @type {Set<string>} samples on this page */ #held = new Set();
  /** @type {Set<string>} answered while a request was under way */ #since = new Set();
  /** @type {'fetching' | 'ready' | 'empty' | 'away'} */ state = 'fetching';
  /** @type {Error | null} */ trouble = null;
  /** @type {any} */ schema = null;
  left = 0; // by the server's last word, less what was answered since
  #busy = false;

  /** @param {() => Set<string>} unsaved samples whose answer the server may not know */
  constructor(unsaved) {
    super();
    this.unsaved = unsaved;
    this.#fill();
  }

  /** The next question, or null: `state` says why there is none. */
  take() {
    const item = this.#items.shift() ?? null;
    if (this.#items.length <= DEPTH / 2) this.#fill();
    return item;
  }

  /** @param {Item} item to be asked next */
  putBack(item) {
    this.#held.add(item.sample);
    this.#items.unshift(item);
  }

  /** @param {Item} item was answered */
  release(item) {
    this.#held.delete(item.sample);
    this.#since.add(item.sample);
  }

  async #fill() {
    if (this.#busy) return;
    this.#busy = true;
    for (let tries = 0; ; tries++) {
      const unsaved = this.unsaved();
      this.#since.clear();
      if (this.state !== 'away') this.state = this.#items.length ? 'ready' : 'fetching';
      try {
        const n = Math.min(100, DEPTH + this.#held.size + unsaved.size);
        const told = await json(`/api/next?n=${n}`);
        const isAnswered = (/** @type {Item} */ item) => this.#since.has(item.sample) || unsaved.has(item.sample);
        const open = told.items.filter((/** @type {Item} */ item) => !this.#held.has(item.sample) && isAnswered(item));
        const fresh = told.items.filter((/** @type {Item} */ item) => !this.#held.has(item.sample) && !isAnswered(item));
        for (const item of fresh) {
          this.#held.add(item.sample);
          this.#items.push({ ...item, picture: picture(item.sample) });
        }
        this.schema = told.schema;
        this.left = Math.max(this.#held.size, told.left - open.length); // `open`: answered here, not yet known there
        this.trouble = null;
        this.state = this.#items.length ? 'ready' : 'empty';
      } catch (fault) {
        this.trouble = /** @type {Error} */ (fault);
        this.state = 'away';
      }
      this.dispatchEvent(new Event('change'));
      if (this.state === 'ready') break;
      await sleep(this.state === 'empty' ? (this.unsaved().size ? 500 : 5_000) : pause(tries)); // a roll may ask for more
    }
    this.#busy = false;
  }
}

let lanes = LANES;
/** @type {(() => void)[]} */ const waiting = [];

/** A picture, decoded, ready to be painted at once. Rejects with Refused when it cannot be shown. @param {string} sample */
function picture(sample) {
  const found = load(sample);
  found.catch(() => {}); // told where it is awaited
  return found;
}

/** @param {string} sample */
async function load(sample) {
  for (let tries = 0; ; tries++) {
    if (lanes) lanes--; else await new Promise((go) => waiting.push(() => go(undefined)));
    try {
      const image = new Image();
      image.src = URL.createObjectURL(await bytes(`/api/picture/${encodeURIComponent(sample)}`));
      await image.decode();
      return image;
    } catch (fault) {
      if (!(fault instanceof Away)) throw fault;
    } finally {
      const next = waiting.shift();
      if (next) next(); else lanes++;
    }
    await sleep(pause(tries));
  }
}
