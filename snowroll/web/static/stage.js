// @ts-check
// The picture area. A question counts as asked only when its picture has been on the screen: `data-item` appears two
// frames after painting, and nothing can be answered before.

const TINY = 256; // px of the longer side up to which a picture is enlarged as squares: nothing is invented

export class Stage {
  /** @param {HTMLElement} place */
  constructor(place) { this.place = place; }

  /** Nothing can be answered now. */
  close() { delete this.place.dataset.item; }

  /** @param {string} title @param {string} [more] @param {'busy' | 'done' | 'bad'} [mood] */
  say(title, more = '', mood = 'busy') {
    this.close();
    const box = document.createElement('div');
    box.className = `words ${mood}`;
    const head = document.createElement('p');
    head.className = 'lead';
    head.textContent = title;
    const rest = document.createElement('p');
    rest.className = 'dim';
    rest.textContent = more;
    box.append(head, rest);
    this.place.replaceChildren(box);
  }

  /** Resolves once the picture is on the screen. @param {HTMLImageElement} image */
  async paint(image) {
    image.alt = 'The picture to label';
    image.classList.toggle('tiny', Math.max(image.naturalWidth, image.naturalHeight) <= TINY);
    this.place.replaceChildren(image);
    await frame();
    await frame();
  }

  /** @param {string} sample may be answered now */
  open(sample) { this.place.dataset.item = sample; }
}

const frame = () => new Promise((next) => requestAnimationFrame(next));
