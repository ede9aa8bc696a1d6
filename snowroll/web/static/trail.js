// @ts-check
// The latest answers as small pictures, newest first; each can be opened again and changed.

/** @typedef {{item: import('./ahead.js').Item, ids: string[], target: unknown, image: HTMLImageElement | null, ms: number}} Past */

const SHOWN = 8;
const KEPT = 200; // answers that Z can walk back through

export class Trail {
  /** @type {Past[]} newest last */ #past = [];

  /** @param {HTMLElement} place @param {(target: unknown) => string} words @param {(past: Past) => void} open */
  constructor(place, words, open) { Object.assign(this, { place, words, open }); }

  /** @param {Past} past */
  add(past) {
    this.#past.push(past);
    for (const old of this.#past.slice(0, -KEPT)) if (old.image) URL.revokeObjectURL(old.image.src);
    this.#past = this.#past.slice(-KEPT);
    this.draw();
  }

  /** The newest answer, taken off. */
  pop() {
    const last = this.#past.pop();
    this.draw();
    return last;
  }

  get size() { return this.#past.length; }

  /** Milliseconds looked at a picture, in the middle of the latest thirty. */
  get pace() {
    const times = this.#past.slice(-30).map((past) => past.ms).sort((a, b) => a - b);
    return times.length < 3 ? null : times[times.length >> 1];
  }

  draw() {
    const { place, words, open } = /** @type {any} */ (this);
    place.replaceChildren(...this.#past.slice(-SHOWN).reverse().map((past) => {
      const entry = document.createElement('li');
      const button = document.createElement('button');
      button.type = 'button';
      const name = past.target === null ? 'not sure' : words(past.target);
      button.classList.toggle('unsure', past.target === null);
      button.title = `${name}: press to change`;
      if (past.image) {
        const small = new Image();
        small.src = past.image.src;
        small.alt = '';
        small.className = past.image.className;
        button.append(small);
      }
      const text = document.createElement('span');
      text.textContent = name;
      button.append(text);
      button.addEventListener('click', () => open(past));
      entry.append(button);
      return entry;
    }));
  }
}
