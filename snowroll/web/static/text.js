// @ts-check
// A sample that is read: as text over its picture, in its own direction and script, for widgets of such samples.

import { bytes } from './api.js';
import { element } from './parts.js';

let turn = 0;

/** Put the text of this sample onto the stage; without one, take the last one away. @param {string} [sample] */
export async function read(sample) {
  const mine = ++turn, stage = /** @type {HTMLElement} */ (document.getElementById('stage'));
  for (const old of stage.querySelectorAll('.text')) old.remove();
  if (!sample) return;
  const place = element('div', 'text');
  place.tabIndex = 0; // so that a long one can be scrolled with the keys
  place.dir = 'auto';
  place.setAttribute('aria-label', 'The text');
  try {
    const told = await (await bytes(`/api/text/${sample}`)).text();
    if (mine !== turn) return;
    for (const line of told.split('\n')) {
      const part = element('p');
      part.dir = 'auto'; // each line by its own first letter: two scripts may stand in one text
      part.textContent = line;
      place.append(part);
    }
    place.classList.toggle('long', told.length > 600);
    stage.append(place);
  } catch {
    // its picture stays
  }
}
