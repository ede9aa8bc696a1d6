// @ts-check
// Asking the server: what failed is either the way to it (Away) or the request itself (Refused).

export class Away extends Error {}

export class Refused extends Error {
  /** @param {number} status @param {{error?: string, cure?: string}} told */
  constructor(status, told) {
    super(told.error ?? `the server answered ${status}`);
    this.status = status;
    this.told = told;
  }

  /** The key is no longer known: the server was started anew. */
  get isLockedOut() { return this.status === 401; }
}

/** @param {string} path @param {unknown} [body] @returns {Promise<Response>} a good one */
async function ask(path, body) {
  const how = body === undefined ? {} : {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, { ...how, credentials: 'same-origin', signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Away('the server does not answer');
  }
  if (answer.ok) return answer;
  if (answer.status >= 500) throw new Away(`the server answered ${answer.status}`);
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

/** @param {string} path @param {unknown} [body] */
export async function json(path, body) {
  const answer = await ask(path, body);
  try { return await answer.json(); } catch { throw new Away('the answer broke off'); }
}

/** @param {string} path */
export async function bytes(path) {
  const answer = await ask(path);
  try { return await answer.blob(); } catch { throw new Away('the picture broke off'); }
}

/** @param {number} ms */
export const sleep = (ms) => new Promise((wake) => {
  const end = () => { clearTimeout(timer); removeEventListener('online', end); wake(undefined); };
  const timer = setTimeout(end, ms);
  addEventListener('online', end); // the way is back: no need to wait out the pause
});

/** The n-th pause of a retry: half a second, doubling, at most ten, each a little different. @param {number} n */
export const pause = (n) => Math.min(10_000, 500 * 2 ** Math.min(n, 5)) * (0.75 + Math.random() / 2);
