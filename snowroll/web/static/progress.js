// @ts-check
// How far it is, at what pace, what is not saved yet, and why there is no question just now: all in words.

import { Refused } from './api.js';

/** @param {string} id @returns {any} */
const by = (id) => document.getElementById(id);
/** @param {number} n @param {string} one @param {string} many */
const some = (n, one, many) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
const SLOW_MS = 1_500; // a decision that waits this long is told of

export class Progress {
  #slow = 0;

  /** @param {import('./outbox.js').Outbox} outbox @param {import('./ahead.js').Ahead} ahead @param {import('./trail.js').Trail} trail */
  constructor(outbox, ahead, trail) { Object.assign(this, { outbox, ahead, trail }); }

  draw() {
    const { outbox, ahead, trail } = /** @type {any} */ (this);
    const done = trail.size;
    const all = done + ahead.left;
    by('count').textContent = `${done.toLocaleString('en')} of ${all.toLocaleString('en')}`;
    by('done').style.width = `${all ? (100 * done) / all : 0}%`;
    by('back').disabled = !done;
    by('trail-none').hidden = done > 0;
    by('time').textContent = this.#time(trail.pace, ahead.left);
    by('rate').textContent = this.#rate(trail.pace, done);
    for (const id of ['progress', 'just']) by(id).hidden = !all; // nothing was asked yet: nothing to tell of
    by('answers').hidden = !all;
    this.#unsaved(outbox);
  }

  /** @param {number | null} pace @param {number} left */
  #time(pace, left) {
    if (pace === null || !left) return '';
    const minutes = (left * pace) / 60_000;
    return minutes < 1 ? 'under a minute left' : `about ${some(Math.ceil(minutes), 'minute', 'minutes')} left`;
  }

  /** @param {number | null} pace @param {number} done */
  #rate(pace, done) {
    if (pace === null) return '';
    return `${Math.round(60_000 / Math.max(pace, 1)).toLocaleString('en')} a minute, by the last ${Math.min(30, done)}`;
  }

  /** @param {import('./outbox.js').Outbox} outbox */
  #unsaved(outbox) {
    clearTimeout(this.#slow);
    const line = by('unsaved');
    const lines = outbox.refused.length ? [`${some(outbox.refused.length, 'decision was', 'decisions were')} refused: ${outbox.refused.at(-1)}.`] : [];
    const tell = () => {
      const n = outbox.size;
      if (n) lines.unshift(`${some(n, 'decision', 'decisions')} not saved yet, ${why(outbox.trouble)}.`);
      line.textContent = lines.join(' ');
      line.hidden = !lines.length;
    };
    if (outbox.size && !outbox.trouble) {
      this.#slow = setTimeout(tell, SLOW_MS);
      if (!lines.length) return; // in a moment it will be saved: no flicker
    }
    tell();
  }

  /** Why there is no question. @param {import('./stage.js').Stage} stage */
  explain(stage) {
    const { outbox, ahead, trail } = /** @type {any} */ (this);
    if (ahead.trouble instanceof Refused && ahead.trouble.isLockedOut) {
      stage.say('Open the new address.', 'The server was started anew: open the address it printed. What you decided is kept in this browser.', 'bad');
    } else if (ahead.state === 'away') {
      stage.say('The server does not answer.', 'It is asked again every few seconds. Nothing you decided is lost.', 'bad');
    } else if (ahead.state !== 'empty') {
      stage.say('Fetching the next pictures …');
    } else if (outbox.size) {
      stage.say('That was the last one.', `Saving ${some(outbox.size, 'decision', 'decisions')} …`);
    } else if (ahead.left) {
      stage.say('The rest is with somebody else.', `${some(ahead.left, 'picture is', 'pictures are')} being answered just now; what stays unanswered comes here in five minutes.`, 'done');
    } else if (!trail.size) {
      stage.say('Nothing left to label.', 'No sample waits for a person. What "snowroll serve" keeps is asked about after the next "snowroll roll".', 'done');
    } else {
      stage.say('Nothing left to label.', 'Every question is answered. "snowroll roll" learns from the answers and asks again.', 'done');
    }
  }
}

/** @param {Error | null} trouble */
function why(trouble) {
  if (trouble instanceof Refused && trouble.isLockedOut) return 'the server was started anew: open the address it printed';
  return 'trying again; they are kept in this browser';
}
