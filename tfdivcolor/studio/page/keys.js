// The keyboard, and the list of its keys.

import {$, make, nextSurround, press, release} from "./common.js";
import {desk, flip, go} from "./desk.js";
import {choose, mark} from "./grid.js";
import * as hints from "./hints.js";
import {nextAgainst, stage} from "./large.js";
import {moreLikeThis, others} from "./panel.js";
import {pickFromPicture} from "./picker.js";
import * as results from "./results.js";
import {hasCursor, keyOfCursor, toggleCursor} from "./rings.js";
import * as session from "./session.js";
import {openTaking} from "./takeaway.js";
import {texts} from "./texts.js";
import {look, view} from "./view.js";

const ZOOM = 1.25;
const PAN = 60;  // pixels

const large = () => view.mode === "large";

function enter() {
  look({mode: large() ? "grid" : "large", before: false});
}

function back() {
  if (hints.selected.open) hints.closePoint();
  else if (hints.selected.at !== null) hints.close();
  else if (view.sheet) look({sheet: ""});
  else if (view.bare) look({bare: false});
  else if (stage.zoom && large()) stage.toggleZoom();
  else if (large()) look({mode: "grid", before: false});
}

function zoom(factor) {
  if (!large()) look({mode: "large"});
  stage.zoomBy(factor);
}

function glance(against) {
  if (against === "original" && desk.photo?.is_grey !== false) return;
  const before = !(view.before && view.against === against);
  look({before, against: before || against === "original" ? against
    : view.against});
}

const keys = {
  ArrowLeft: () => flip(-1), ArrowRight: () => flip(1),
  ArrowUp: () => choose(results.shown?.rank - 1),
  ArrowDown: () => choose(results.shown?.rank + 1),
  Home: () => go(desk.photos[0]?.id), End: () => go(desk.photos.at(-1)?.id),
  Enter: enter, Escape: back, " ": () => mark(),
  Delete: () => hints.drop(), Backspace: () => hints.drop(),
  "+": () => zoom(ZOOM), "=": () => zoom(ZOOM), "-": () => zoom(1 / ZOOM),
  a: () => $("files").click(), b: nextSurround, c: nextAgainst,
  f: () => look({bare: !view.bare}), h: toggleCursor, i: pickFromPicture,
  l: moreLikeThis, m: () => hints.toggleMuted(), n: hints.thisIsGrey,
  s: () => look({mode: "large", split: !large() || !view.split,
                 before: false}),
  t: openTaking, x: others, "?": openKeys,
  z: () => {
    if (!large()) look({mode: "large"});
    stage.toggleZoom();
  },
};
const repeats = /^(Arrow.*|\+|=|-)$/;

function withControl(event, key) {
  const acts = {z: event.shiftKey ? session.redo : session.undo,
                y: session.redo, s: openTaking, o: () => $("files").click()};
  if (!acts[key] || event.altKey) return;
  event.preventDefault();
  acts[key]();
}

function pan(key) {
  const by = {ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0],
              ArrowUp: [0, PAN], ArrowDown: [0, -PAN]}[key];
  if (by) stage.pan(...by);
  return !!by;
}

// Whether the focused control uses a key itself.
function isOwn(element, key) {
  if (element.matches("input:not([type=range]), textarea, select")) {
    return key !== "Escape";
  }
  if (element.matches("[type=range]")) {
    return /^(Arrow|Page|Home|End)/.test(key);
  }
  if (!element.closest("button, a")) return false;
  // Space keeps the result even if a picture has the focus.
  return key === "Enter"
    || key === " " && !element.closest(".open, .thumb");
}

function down(event) {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const {target} = event;
  const typing = target.matches("input:not([type=range]), textarea");
  if (event.ctrlKey || event.metaKey) {
    if (!typing || key === "s") withControl(event, key);
    return;
  }
  if (event.altKey) return;
  if (keyOfCursor(event)) {
    event.preventDefault();
    return;
  }
  if (isOwn(target, key)) return;
  const onSlider = target.id === "slider" && !event.shiftKey;
  if ((onSlider || event.shiftKey && /^Arrow(Left|Right)$/.test(key)
       && large()) && stage.nudge(event.key)
      || target.id === "stage" && stage.zoom && pan(key)) {
    event.preventDefault();
  } else if (key === "g" || key === "o") {
    if (event.repeat) return;
    press(key);
    glance(key === "o" ? "original" : view.against);
  } else if (/^[0-9]$/.test(key)) {
    choose(Number(key));
  } else if (keys[key]) {
    event.preventDefault();
    if (!event.repeat || repeats.test(key)) keys[key]();
  }
}

function up(event) {
  if (event.key === " " && event.target.closest(".open, .thumb")) {
    event.preventDefault();
  }
  const how = release(event.key);
  if (how && (how === "held" || !large())) look({before: false});
}

function list() {
  $("keys_list").replaceChildren(...texts.key_groups.map(([title, rows]) =>
    make("section", {}, make("h3", {}, title), make("dl", {}, ...rows.map(
      ([names, text]) => make("div", {},
        make("dt", {}, ...names.flatMap(
          (name, i) => [...(i ? [" "] : []), make("kbd", {}, name)])),
        make("dd", {}, text)))))));
}

function openKeys() {
  $("keys").showModal();
  $("keys").scrollTop = 0;  // the focus on the last button scrolls down
}

export function startKeys() {
  list();
  document.addEventListener("keydown", down);
  document.addEventListener("keyup", up);
  const click = (id, act) => $(id).addEventListener("click", event => {
    if (event.detail) $(id).blur();
    act();
  });
  click("surround", nextSurround);
  click("help", openKeys);
  click("to_grid", () => look({mode: "grid", before: false}));
  click("to_large", () => look({mode: "large", before: false}));
  click("add_hint", () => {
    if (!hasCursor()) toggleCursor();
  });
}
