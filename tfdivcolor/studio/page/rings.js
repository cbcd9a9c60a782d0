// Hints on the picture: rings to drag, a cross for the keyboard, and the
// possible colours beside a point.

import {$, clamp, make, say} from "./common.js";
import {desk, on} from "./desk.js";
import * as hints from "./hints.js";
import {onStage, onTap, stage} from "./large.js";
import {chips} from "./picker.js";
import {clearOutline, drawOutline} from "./regions.js";
import * as results from "./results.js";
import {texts} from "./texts.js";
import {look, onView, view} from "./view.js";

const MOVED = 4;    // pixels from which a press counts as a drag
const STEP = 0.02;  // step of an arrow key, as a fraction of the picture

let drag = null;    // {at, x, y, startX, startY, moved}
let focusing = false;
let cursor = null;  // {x, y} in fractions of the picture

// --- Rings ------------------------------------------------------------------

function render() {
  const list = $("rings");
  const all = hints.hints().map((hint, at) => ({...hint, at}));
  const {selected} = hints;
  if (selected.at === hints.NEW) {
    all.push({x: selected.x, y: selected.y, rgb: null, at: hints.NEW});
  }
  while (list.children.length > all.length) list.lastChild.remove();
  while (list.children.length < all.length) list.append(ring());
  for (const [i, hint] of all.entries()) renderRing(list.children[i], hint);
  place();
  renderPoint();
}

function ring() {
  const element = make("button", {
    type: "button", class: "hint", "data-own": ""}, make("i"),
    make("span", {class: "said"}));
  element.addEventListener("pointerdown", grab);
  element.addEventListener("pointermove", pull);
  element.addEventListener("pointerup", letGo);
  element.addEventListener("pointercancel", cancel);
  element.addEventListener("click", event => {
    if (!event.detail) hints.select(Number(element.dataset.hint));  // by key
  });
  element.addEventListener("keydown", keyOnRing);
  return element;
}

function renderRing(element, hint) {
  const note = hint.at < 0 ? "" : hints.noteOf(hint.at);
  element.dataset.hint = hint.at;
  const rgb = hint.at === hints.selected.at ? hints.rgbOf() : hint.rgb;
  element.firstChild.style.backgroundColor = rgb ?? "transparent";
  element.classList.toggle("new", hint.at < 0);
  element.classList.toggle("muted", !!hint.muted);
  element.classList.toggle("failed", !!note);
  element.classList.toggle("selected", hint.at === hints.selected.at);
  element.lastChild.textContent = note;
  element.title = note;
  element.setAttribute("aria-label", [
    hint.at < 0 ? texts.new_hint : texts.hint_named(hint.at + 1, hint.rgb),
    hint.muted && texts.muted, note].filter(Boolean).join(", "));
}

// Moves all rings and the cross to their points on the stage.
function place() {
  const {photo} = desk, {box} = stage;
  if (!photo) return;
  const put = (element, x, y) => {
    element.style.left = `${box.x + x * box.width}px`;
    element.style.top = `${box.y + y * box.height}px`;
  };
  for (const element of $("rings").children) {
    const at = Number(element.dataset.hint);
    const hint = drag?.at === at && drag.moved ? drag
      : hints.hints()[at] ?? hints.selected;
    put(element, (hint.x + 0.5) / photo.width, (hint.y + 0.5) / photo.height);
  }
  $("cursor").hidden = !cursor;
  if (cursor) {
    put($("cursor"), cursor.x, cursor.y);
    drawOutline(stage, cursor.x, cursor.y);
  }
  placePoint();
}

function grab(event) {
  if (event.button || stage.isPinched()) return;
  const at = Number(event.currentTarget.dataset.hint);
  event.currentTarget.setPointerCapture(event.pointerId);
  drag = {at, startX: event.clientX, startY: event.clientY, moved: false};
}

function pull(event) {
  if (drag && stage.isPinched()) cancel();
  if (!drag) return;
  if (Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY)
      > MOVED) drag.moved = true;
  if (!drag.moved) return;
  const [x, y] = stage.fractions(event.clientX, event.clientY);
  Object.assign(drag, hints.pixelAt(x, y));
  if (drag.at >= 0) hints.previewMove(drag.at, drag.x, drag.y);
  hints.selected.open = false;
  place();
  drawOutline(stage, clamp(x, 0, 0.999), clamp(y, 0, 0.999));
}

function cancel() {
  drag = null;
  clearOutline();
  results.endPreview();
  place();
}

function letGo() {
  if (!drag) return;
  const {at, x, y, moved} = drag;
  drag = null;
  clearOutline();
  if (!moved) hints.select(at);
  else if (at === hints.NEW) hints.begin(x, y);
  else hints.move(at, x, y);
}

function keyOnRing(event) {
  const at = Number(event.currentTarget.dataset.hint);
  const by = arrow(event);
  const hint = hints.hints()[at];
  if (event.key === "Delete" || event.key === "Backspace") {
    hints.drop(at);
  } else if (event.key === "m") {
    hints.toggleMuted(at);
  } else if (by && hint && !event.ctrlKey && !event.altKey) {
    const least = event.shiftKey ? 1 : 0;
    const {width, height} = desk.photo;
    const far = (step, side) => Math.sign(step)
      * (least || Math.max(1, Math.round(Math.abs(step) * side)));
    hints.move(at, hint.x + far(by[0], width), hint.y + far(by[1], height));
    if (hints.selected.at === at) hints.refresh();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

// The step of an arrow key in fractions of the picture: [x, y], or null.
function arrow({key}) {
  return {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0],
          ArrowUp: [0, -STEP], ArrowDown: [0, STEP]}[key] ?? null;
}

// --- The cross --------------------------------------------------------------

export const hasCursor = () => !!cursor;

export function toggleCursor() {
  if (cursor) {
    leaveCursor();
    return;
  }
  if (!desk.photo) return;
  hints.closePoint();
  look({mode: "large", tool: true, before: false});
  const {box} = stage, root = $("stage");
  cursor = {x: clamp((root.clientWidth / 2 - box.x) / box.width, 0, 0.999),
            y: clamp((root.clientHeight / 2 - box.y) / box.height, 0, 0.999)};
  root.focus({preventScroll: true});
  say(texts.cursor_help, true);
  place();
}

export function leaveCursor() {
  cursor = null;
  $("cursor").hidden = true;
  clearOutline();
}

// Handles a key for the cross; returns whether it was one.
export function keyOfCursor(event) {
  if (!cursor) return false;
  const by = arrow(event);
  if (by) {
    const factor = (event.shiftKey ? 0.1 : 1) * stage.fit / stage.scale;
    cursor.x = clamp(cursor.x + factor * by[0], 0, 0.999);
    cursor.y = clamp(cursor.y + factor * by[1], 0, 0.999);
    follow();
    place();
  } else if (event.key === "Enter") {
    const {x, y} = hints.pixelAt(cursor.x, cursor.y);
    leaveCursor();
    hints.begin(x, y);
    focusPoint();
  } else if (event.key === "Escape") {
    leaveCursor();
  } else {
    return false;
  }
  return true;
}

// Keeps the cross on the stage.
function follow() {
  const {box} = stage, root = $("stage");
  const x = box.x + cursor.x * box.width, y = box.y + cursor.y * box.height;
  const beyond = (at, room) => Math.min(0, at - 40)
    + Math.max(0, at - room + 40);
  stage.pan(-beyond(x, root.clientWidth), -beyond(y, root.clientHeight));
}

// --- The colours at the point -----------------------------------------------

function renderPoint() {
  const {selected} = hints, point = $("point");
  const hint = hints.hints()[selected.at];
  const focused = point.contains(document.activeElement);
  point.hidden = !selected.open || view.mode !== "large" || !!drag?.moved;
  if (point.hidden) {
    // Keys act on the hint again.
    if (focused) ($("rings").querySelector(".selected") ?? $("stage")).focus();
    return;
  }
  const note = hint ? hints.noteOf(selected.at) : "";
  const warning = point.querySelector(".warning");
  warning.hidden = !note;
  warning.textContent = note;
  chips(point.querySelector(".chips"));
  if (focusing && selected.about) {
    focusing = false;
    if (document.activeElement === point) {
      point.querySelector(".chips button").focus({preventScroll: true});
    }
  }
  for (const name of ["mute", "delete"]) act(name).hidden = !hint;
  if (hint) {
    const text = hint.muted ? texts.unmute_hint : texts.mute_hint;
    act("mute").title = text;
    act("mute").setAttribute("aria-label", text);
    act("mute").querySelector("use").setAttribute(
      "href", hint.muted ? "#i-muted" : "#i-eye");
  }
  placePoint();
}

const act = name => $("point").querySelector(`[data-act="${name}"]`);

// Puts the colours beside the point, on the side with room.
function placePoint() {
  const point = $("point"), {photo} = desk, {selected} = hints;
  if (point.hidden || !photo) return;
  const bounds = $("stage").getBoundingClientRect(), {box} = stage;
  const x = bounds.left + box.x + (selected.x + 0.5) / photo.width * box.width;
  const y = bounds.top + box.y + (selected.y + 0.5) / photo.height * box.height;
  const {offsetWidth: width, offsetHeight: height} = point;
  const gap = 22, edge = 8;
  const left = x + gap + width > innerWidth - edge && x - gap - width > edge
    ? x - gap - width : x + gap;
  let top = y - height / 2;
  // On a narrow screen the colours go above or below the point.
  const fits = left + width <= innerWidth - edge;
  if (!fits) top = y - gap - height > edge ? y - gap - height : y + gap;
  point.style.left = `${clamp(fits ? left : x - width / 2, edge,
                              innerWidth - edge - width)}px`;
  point.style.top = `${clamp(top, edge, innerHeight - edge - height)}px`;
}

// Focuses the first colour as soon as the colours arrive.
function focusPoint() {
  $("point").focus({preventScroll: true});
  focusing = true;
  renderPoint();
}

// --- Start ------------------------------------------------------------------

export function startRings() {
  onTap((x, y) => {
    leaveCursor();
    const pixel = hints.pixelAt(x, y);
    hints.begin(pixel.x, pixel.y);
  });
  onStage(place);
  on("photo", () => {
    if (!desk.photo) leaveCursor();
  });
  onView(() => {
    if (view.mode !== "large") {
      leaveCursor();
      hints.closePoint();
    }
    clearOutline();
    render();
  });
  hints.onHints(render);
  results.onResults(render);
  $("stage").addEventListener("pointermove", event => {
    if (event.pointerType !== "mouse" || cursor || drag) return;
    const idle = view.tool && !event.buttons && !view.before
      && !event.target.closest("#slider");
    if (idle) drawOutline(stage, ...stage.fractions(
      event.clientX, event.clientY));
    else clearOutline();
  });
  $("stage").addEventListener("pointerleave", () => {
    if (!cursor) clearOutline();
  });
  const acts = {
    grey: hints.thisIsGrey, delete: () => hints.drop(),
    mute: () => hints.toggleMuted(),
    more: () => {
      hints.selected.open = false;
      look({sheet: "hints"});
      $("disc").focus();
    },
  };
  for (const [name, run] of Object.entries(acts)) {
    act(name).addEventListener("click", () => run());
  }
}
