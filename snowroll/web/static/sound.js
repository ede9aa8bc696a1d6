// @ts-check
// A recording that is played beside its picture, for widgets of samples that are heard.

import { bytes } from './api.js';
import { element } from './parts.js';

let turn = 0;

/** Put a player of this sample onto the stage; without one, take the last one away. @param {string} [sample] */
export async function hear(sample) {
  const mine = ++turn, stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
  for (const old of stage.querySelectorAll('audio')) { old.pause(); URL.revokeObjectURL(old.src); old.remove(); }
  if (!sample) return;
  const player = /** @type {HTMLAudioElement} */ (element('audio', 'player'));
  player.controls = true;
  player.setAttribute('aria-label', 'The recording');
  stage.append(player);
  try {
    const sound = await bytes(`/api/sound/${sample}`);
    if (mine === turn) player.src = URL.createObjectURL(sound); // as a whole, so that it can be played again and again
  } catch {
    if (mine === turn) player.remove();
  }
}

/** From the beginning, or stop. */
export function play() {
  const player = /** @type {HTMLAudioElement | null} */ (document.querySelector('#stage audio'));
  if (!player) return;
  if (player.paused) { player.currentTime = 0; void player.play(); } else player.pause();
}
