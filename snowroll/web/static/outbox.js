// @ts-check
// Decisions on their way to the server. Each lies in the browser's storage, under a key of its own, until the server
// has said that it is on the disk; a reload, a crash or a second tab loses none and doubles none.

import { Refused, json, pause, sleep } from './api.js';

/** @typedef {{client_id: string, sample: string, target: unknown, ms: number, blind: boolean}} Answer */
/** @typedef {{key: string, answer?: Answer, undo?: {client_id: string}}} Entry */

const TOGETHER = 50; // answers in one request

export class Outbox extends EventTarget {
  /** @type {Entry[]} */ #entries = [];
  #busy = false;
  #count = 0;
  /** @type {Error | null} what keeps the decisions from being saved */ trouble = null;
  /** @type {string[]} what the server will never take, in its words */ refused = [];

  /** @param {string} place the storage keys begin so: one project, one person */
  constructor(place) {
    super();
    this.place = place;
    this.#entries = stored(place);
    if (this.#entries.length) this.#send();
  }

  /** @param {Answer} answer */
  answer(answer) { this.#add({ answer }); }

  /** @param {string} client_id */
  undo(client_id) { this.#add({ undo: { client_id } }); }

  get size() { return this.#entries.length; }

  /** Samples whose answer the server may not know yet. */
  get samples() { return new Set(this.#entries.flatMap((entry) => entry.answer?.sample ?? [])); }

  /** @param {Omit<Entry, 'key'>} what */
  #add(what) {
    const order = `${String(Date.now()).padStart(14, '0')}-${String(this.#count++).padStart(6, '0')}`;
    const entry = { key: `${this.place}${order}-${crypto.randomUUID()}`, ...what };
    this.#entries.push(entry);
    try { localStorage.setItem(entry.key, JSON.stringify(what)); } catch { /* full or forbidden: memory holds it, and leaving is warned of */ }
    this.#changed();
    this.#send();
  }

  async #send() {
    if (this.#busy) return;
    this.#busy = true;
    for (let tries = 0; this.#entries.length;) {
      const batch = leading(this.#entries);
      try {
        await this.#post(batch);
        tries = 0;
        this.trouble = null;
        this.#drop(batch);
      } catch (fault) {
        this.trouble = /** @type {Error} */ (fault);
        this.#changed();
        await sleep(pause(tries++));
      }
    }
    this.#busy = false;
  }

  /** Returns when the batch is durable or will never be taken. @param {Entry[]} batch */
  async #post(batch) {
    try {
      if (batch[0].undo) await json('/api/undo', batch[0].undo);
      else await json('/api/answers', batch.map((entry) => entry.answer));
    } catch (fault) {
      if (!(fault instanceof Refused) || fault.status === 401 || fault.status === 403) throw fault;
      const told = /** @type {any} */ (fault.told);
      if (told.refused) this.refused.push(...told.refused.map((/** @type {any} */ one) => one.error));
      else if (batch.length > 1) for (const entry of batch) await this.#post([entry]);
      else if (!batch[0].undo) this.refused.push(fault.message);
    }
  }

  /** @param {Entry[]} batch */
  #drop(batch) {
    this.#entries = this.#entries.filter((entry) => !batch.includes(entry));
    for (const entry of batch) try { localStorage.removeItem(entry.key); } catch { /* was never stored */ }
    this.#changed();
  }

  #changed() { this.dispatchEvent(new Event('change')); }
}

/** The answers at the front, or the one undo: order is kept. @param {Entry[]} entries */
function leading(entries) {
  const stop = entries.findIndex((entry) => entry.undo);
  return entries.slice(0, stop === 0 ? 1 : Math.min(TOGETHER, stop < 0 ? Infinity : stop));
}

/** @param {string} place @returns {Entry[]} */
function stored(place) {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(place)).sort();
    return keys.map((key) => ({ key, ...JSON.parse(localStorage.getItem(key) ?? '{}') }))
      .filter((entry) => entry.answer || entry.undo);
  } catch { return []; }
}
