// How the results are looked at; remembered from visit to visit.

import {recall, remember} from "./common.js";

const NAME = "tfdivcolor.studio/view";

export const view = {
  mode: "grid",      // or "large"
  against: "grey",   // what a result is compared with: grey, original, a rank
  before: false,     // whether that is shown instead of the result
  tool: true,        // whether a click sets a hint; else it zooms
  split: false, divider: 0.5,
  sheet: "",         // which part of the panel is open, on a narrow screen
  bare: false,       // whether only the picture is shown
};
const KEPT = ["mode", "tool", "split", "divider"];
const listeners = [];

export function onView(act) {
  listeners.push(act);
}

export function look(changes) {
  Object.assign(view, changes);
  remember(NAME, Object.fromEntries(KEPT.map(key => [key, view[key]])));
  document.body.dataset.view = view.mode;
  document.body.dataset.sheet = view.sheet;
  document.body.dataset.tool = view.tool ? "hint" : "zoom";
  document.body.toggleAttribute("data-bare", view.bare);
  for (const act of listeners) act();
}

export function recallView() {
  const found = recall(NAME) || {};
  look(Object.fromEntries(
    KEPT.filter(key => typeof found[key] === typeof view[key])
      .map(key => [key, found[key]])));
}
