// The hints of the current state, and the selected hint. A new hint joins the
// state when it gets a colour.

import {post, Refusal} from "./api.js";
import {clamp, say} from "./common.js";
import {desk} from "./desk.js";
import * as results from "./results.js";
import {commit, essence, now, state} from "./session.js";
import {texts} from "./texts.js";

export const NEW = -1;
const MOST = 100;
const REST = 400;  // ms from a step to a new request about the point

export const selected = {
  at: null,     // place in the list; NEW; or null
  x: 0, y: 0,   // pixel of the photograph
  about: null,  // the server's answer about this point
  trial: null,  // colour on trial while the user drags: "#rrggbb"
  open: false,  // whether the colours are open beside the point
};
const listeners = [];
let asked = null;  // the request that `about` answers

export function onHints(act) {
  listeners.push(act);
}

function tell() {
  for (const act of listeners) act();
}

export const hints = () => now ? state().hints : [];

export const rgbOf = () => selected.trial ?? hints()[selected.at]?.rgb ?? null;

// The note about a hint: why it fails, or "".
export function noteOf(at) {
  const found = results.shown?.hints?.[at];
  if (!found?.note || results.shown.live) return "";
  return texts.notes[found.note]?.(found.against + 1) ?? found.note;
}

// --- Selecting --------------------------------------------------------------

export function begin(x, y) {
  if (!now) return;
  if (hints().length >= MOST) {
    say(texts.full(MOST), true);
    return;
  }
  Object.assign(selected, {at: NEW, x, y, about: null, trial: null,
                          open: true});
  inquire();
  tell();
}

export function select(at, open = true) {
  const hint = hints()[at];
  if (!hint) return;
  const {x, y} = hint;
  if (x !== selected.x || y !== selected.y) selected.about = null;
  Object.assign(selected, {at, x, y, trial: null, open});
  inquire();
  tell();
}

export function close() {
  if (selected.at === null) return;
  Object.assign(selected, {at: null, trial: null, open: false});
  results.endPreview();
  tell();
}

export function closePoint() {
  if (selected.at === NEW) close();
  selected.open = false;
  tell();
}

// Adapts the selection to another step or another photograph.
export function refresh() {
  const hint = hints()[selected.at];
  selected.trial = null;
  if (hint && (hint.x !== selected.x || hint.y !== selected.y)) {
    Object.assign(selected, {x: hint.x, y: hint.y, about: null});
  } else if (!hint && (selected.at !== NEW || !now)) {
    selected.at = null;
  }
  clearTimeout(refresh.timer);
  if (selected.at === null) selected.open = false;
  else refresh.timer = setTimeout(inquire, REST);  // the results come first
  tell();
}

// Requests the possible colours of the point, without the hint itself.
async function inquire() {
  const {at, x, y} = selected;
  if (at === null || !now) return;
  const others = {...state(), hints: hints().filter((_, i) => i !== at)};
  const wanted = [desk.photo.id, essence(others), x, y].join("/");
  if (asked === wanted) return;
  asked = wanted;
  try {
    const about = await post(`/api/photos/${desk.photo.id}/point`,
                             {state: others, x, y}, () => asked === wanted);
    if (asked !== wanted) return;
    selected.about = about;
    tell();
  } catch (error) {
    if (asked === wanted) asked = null;
    if (!(error instanceof Refusal)) throw error;
    if (error.code !== "replaced") say(error.message, true);
  }
}

// --- Changes ----------------------------------------------------------------

function changed(at, changes) {
  return hints().map((hint, i) => i === at ? {...hint, ...changes} : hint);
}

function withColor(rgb) {
  const {at, x, y} = selected;
  return at === NEW ? [...hints(), {x, y, rgb, muted: false}]
    : changed(at, {rgb, muted: false});
}

// Gives the selected hint a colour.
export function color(rgb) {
  const {at} = selected;
  if (at === null || !now) return;
  if (at === NEW) {
    const list = withColor(rgb);
    selected.at = list.length - 1;
    selected.open = false;
    commit({hints: list}, texts.steps.hint(list.length), `hint ${selected.at}`);
  } else {
    selected.open = false;
    selected.trial = null;
    if (rgb === rgbOf() && !hints()[at].muted) {
      results.endPreview();
      tell();
      return;
    }
    commit({hints: withColor(rgb)}, texts.steps.recolor(at + 1), `hint ${at}`);
  }
}

export function previewColor(rgb) {
  if (selected.at === null || !now) return;
  selected.trial = rgb;
  tell();
  results.preview({hints: withColor(rgb)});
}

export function thisIsGrey() {
  if (selected.at === null) return;
  color(selected.about?.grey ?? "#808080");
}

function within(x, y) {
  return {x: clamp(Math.floor(x), 0, desk.photo.width - 1),
          y: clamp(Math.floor(y), 0, desk.photo.height - 1)};
}

// The pixel at a point, given in fractions of the picture.
export const pixelAt = (x, y) =>
  within(x * desk.photo.width, y * desk.photo.height);

export function previewMove(at, x, y) {
  results.preview({hints: changed(at, within(x, y))});
}

export function move(at, x, y) {
  const hint = hints()[at], place = within(x, y);
  if (!hint || (hint.x === place.x && hint.y === place.y)) {
    results.endPreview();
    return;
  }
  commit({hints: changed(at, place)}, texts.steps.move(at + 1), `move ${at}`);
}

export function toggleMuted(at = selected.at) {
  const hint = hints()[at];
  if (!hint) return;
  commit({hints: changed(at, {muted: !hint.muted})},
         texts.steps[hint.muted ? "unmute" : "mute"](at + 1));
}

export function drop(at = selected.at) {
  if (at === NEW) {
    close();
    return;
  }
  if (!hints()[at]) return;
  const list = hints().filter((_, i) => i !== at);
  if (selected.at === at) Object.assign(selected, {at: null, open: false});
  else if (selected.at > at) selected.at--;
  commit({hints: list}, texts.steps.delete(at + 1));
}
