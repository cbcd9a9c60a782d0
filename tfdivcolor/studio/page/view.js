// The view of the results. The browser remembers it between visits.

import {recall, remember} from "./common.js";

const NAME = "tfdivcolor.studio/view";

export const view = {
  mode: "grid",      // or "large"
  against: "grey",   // picture to compare with: "grey", "original" or a rank
  before: false,     // whether that picture replaces the result
  tool: true,        // whether a click sets a hint; otherwise a click zooms
  split: false, divider: 0.5,
  sheet: "",         // open part of the panel, on a narrow screen
  bare: false,       // whether the page shows only the picture
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
