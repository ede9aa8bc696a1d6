// @ts-check
// What every widget is made of.

/** @param {string} tag @param {string} [kind] its class */
export function element(tag, kind = '') {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  return made;
}

/** A key as it stands on a button; readers of the screen have the key sheet. @param {string} name */
export function key(name) {
  const made = element('kbd');
  made.textContent = name;
  made.setAttribute('aria-hidden', 'true');
  return made;
}
