// @ts-check
// The label page: one question at a time. The queue ahead brings questions, the stage shows one, the widget asks,
// the outbox carries the answer away, the trail lets it be changed.

import { Ahead } from './ahead.js';
import { listen } from './keys.js';
import { Outbox } from './outbox.js';
import { Progress } from './progress.js';
import { Stage } from './stage.js';
import { Trail } from './trail.js';

/** @param {string} id @returns {any} */
const by = (id) => document.getElementById(id);
const { key, widget: module, kind } = /** @type {Record<string, string>} */ (document.body.dataset);

const stage = new Stage(by('stage'));
const outbox = new Outbox(`snowroll:${key}:`);
const ahead = new Ahead(() => outbox.samples);
const trail = new Trail(by('trail'), (target) => widget?.words(target) ?? '', change);
const progress = new Progress(outbox, ahead, trail);

/** @type {any} what asks for this kind of target */ let widget = null;
/** @type {import('./ahead.js').Item | null} */ let current = null;
/** @type {import('./trail.js').Past | null} an earlier answer that is being changed */ let earlier = null;
/** @type {HTMLImageElement | null} */ let image = null;
let isOpen = false; // the picture has been on the screen: it may be answered
let since = 0; // when it first was

/** Show a question: the next one, or an earlier answer again. */
async function show(/** @type {import('./ahead.js').Item | null} */ item) {
  close();
  current = item;
  for (const part of ['asked', 'widget', 'unsure']) by(part).hidden = !item;
  if (!item) { progress.explain(stage); return; }
  const patience = setTimeout(() => {
    if (current !== item || isOpen) return;
    stage.say('Fetching the picture …');
    widget.ask(null);
  }, 150);
  let painted = null;
  try {
    painted = await item.picture;
  } catch (fault) {
    if (current === item) stage.say('This picture cannot be shown.', `${/** @type {Error} */ (fault).message}. Press "Not sure" to go on.`, 'bad');
  } finally {
    clearTimeout(patience);
  }
  if (current !== item) return;
  image = painted;
  if (image) await stage.paint(image);
  if (current !== item) return;
  widget.ask(image && item, earlier?.target);
  by('why').textContent = item.why ? `Why this one: ${item.why}` : '';
  by('question').textContent = question(item);
  since = performance.now();
  isOpen = true;
  stage.open(item.sample);
}

/** @param {import('./ahead.js').Item} item */
function question(item) {
  if (earlier) return 'Change this answer?';
  if (widget.question) return widget.question(item);
  return item.suggestion ? 'Is the model right?' : 'What is it?';
}

function close() {
  isOpen = false;
  image = null;
  stage.close();
}

/** @param {unknown} target null: not sure */
function answer(target) {
  if (!isOpen || !current || (!image && target !== null)) return;
  const item = current;
  const client_id = crypto.randomUUID();
  const ms = Math.round(performance.now() - since);
  outbox.answer({ client_id, sample: item.sample, target, ms, blind: item.suggestion === null });
  const past = earlier ?? { item, ids: [], target, image, ms };
  past.ids.push(client_id);
  past.target = target;
  if (earlier) trail.draw();
  else {
    ahead.release(item);
    ahead.left = Math.max(0, ahead.left - 1);
    trail.add(past);
  }
  earlier = null;
  by('said').textContent = `${target === null ? 'Not sure' : widget.words(target)}: noted. ${ahead.left} left.`;
  progress.draw();
  show(ahead.take());
}

/** Take the newest answer back and ask again; while an answer is being changed, leave it as it was. */
function back() {
  if (earlier) { earlier = null; show(ahead.take()); return; }
  const past = trail.pop();
  if (!past) return;
  for (const id of past.ids.toReversed()) outbox.undo(id);
  if (current) ahead.putBack(current);
  ahead.putBack(past.item);
  ahead.left += 1;
  by('said').textContent = 'Taken back. Asked again.';
  progress.draw();
  show(ahead.take());
}

/** @param {import('./trail.js').Past} past */
function change(past) {
  if (current && !earlier) ahead.putBack(current);
  earlier = past;
  show(past.item);
  by('stage').focus();
}

/** After a mouse press on a button the focus goes to the picture, so that Enter means the next question and not it. */
function release(/** @type {MouseEvent} */ event) {
  const isField = /** @type {Element} */ (event.target).closest('input, textarea, select');
  if (event.detail > 0 && !isField) by('stage').focus({ preventScroll: true });
}

async function start() {
  if (!module) {
    stage.say('This kind of label cannot be given here.', `No widget asks for "${kind}".`, 'bad');
    return;
  }
  const sheet = /** @type {HTMLDialogElement} */ (by('keys'));
  const open = listen([
    { key: ' ', name: 'Space', does: 'not sure; go on', run: () => answer(null) },
    { key: 'z', name: 'Z', does: 'take the last answer back', run: back },
    { key: '?', name: '?', does: 'this list', run: () => open() },
  ], () => widget, sheet);
  by('help').addEventListener('click', open);
  by('unsure').addEventListener('click', () => answer(null));
  by('back').addEventListener('click', back);
  by('answers').addEventListener('click', release);
  addEventListener('beforeunload', (event) => { if (outbox.size) event.preventDefault(); });
  progress.explain(stage);
  const { mount } = await import(module);
  const next = () => {
    if (!ahead.schema) { progress.explain(stage); return; }
    widget ??= mount(by('widget'), ahead.schema, answer);
    progress.draw();
    if (!current) show(ahead.take());
  };
  ahead.addEventListener('change', next);
  outbox.addEventListener('change', () => { progress.draw(); if (!current && ahead.schema) progress.explain(stage); });
  next();
}

start();
