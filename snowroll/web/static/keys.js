// @ts-check
// Which key means what on the page itself; the widget adds its own. No two may share a key: checked at the start.

const TEXT = 'input, textarea, select, [contenteditable]';
const PRESSED = 'button, a, summary'; // Enter and Space are theirs while they have the focus

/**
 * @param {{key: string, name: string, does: string, run: () => void}[]} actions
 * @param {() => {press: (event: KeyboardEvent) => boolean, keys: string[][]} | null} widget
 * @param {HTMLDialogElement} sheet
 */
export function listen(actions, widget, sheet) {
  const taken = new Map();
  for (const action of actions) {
    if (taken.has(action.key)) throw new Error(`two actions share the key ${action.name}`);
    taken.set(action.key, action);
  }
  document.addEventListener('keydown', (event) => {
    const at = /** @type {HTMLElement} */ (event.target);
    if (sheet.open || at.closest(TEXT) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const isPress = event.key === 'Enter' || event.key === ' ';
    if (event.repeat) { // a key held down decides once
      if (isPress || widget()?.keys.length) event.preventDefault();
      return;
    }
    if (isPress && at.closest(PRESSED)) return;
    const action = taken.get(event.key.toLowerCase());
    if (action) action.run();
    if (action || widget()?.press(event)) event.preventDefault();
  });
  const list = /** @type {HTMLElement} */ (sheet.querySelector('dl'));
  return () => { // the sheet is written when it is opened: the widget may have come late
    list.replaceChildren(...[...(widget()?.keys ?? []), ...actions.map((one) => [one.name, one.does])].flatMap(line));
    sheet.showModal();
  };
}

/** @param {string[]} pair */
function line([key, does]) {
  const name = document.createElement('dt');
  const face = document.createElement('kbd');
  face.textContent = key;
  name.append(face);
  const words = document.createElement('dd');
  words.textContent = does;
  return [name, words];
}
