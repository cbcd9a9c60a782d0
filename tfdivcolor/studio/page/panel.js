// The panel: the list of hints, the sliders, new results and favourites.

import {pictureOf} from "./api.js";
import {$, clamp, make} from "./common.js";
import {desk} from "./desk.js";
import * as hints from "./hints.js";
import * as results from "./results.js";
import {commit, essence, now, on, state} from "./session.js";
import {texts} from "./texts.js";
import {look, onView, view} from "./view.js";

// The ranges of the sliders. A number field goes further, up to the limit.
const DIALS = {
  warmth: {holder: "dials", from: -30, to: 30, step: 1, digits: 1},
  saturation: {holder: "dials", from: 0, to: 2.5, step: 0.05, digits: 2},
  temperature: {holder: "dials", from: 0, to: 1.5, step: 0.05, digits: 2},
  num_samples: {holder: "draws", from: 1, to: 24, step: 1, digits: 0},
  strength: {holder: "strengths", from: 0, to: 1.5, step: 0.05, digits: 2},
};
const MOST_TEMPERATURE = 5;

let strength = null;  // strength for the next "More like this"

const valueOf = name => name === "strength" && !state().kept
  ? strength ?? state().strength : state()[name];

const text = (name, value) => {
  const {digits} = DIALS[name];
  const shown = String(Number(value.toFixed(digits))).replace("-", "−");
  return name === "warmth" && value > 0 ? `+${shown}` : shown;
};

// --- Sliders ----------------------------------------------------------------

function makeDial(name) {
  const {from, to, step, holder} = DIALS[name];
  const [title, tip] = texts.dials[name];
  const limits = desk.info.limits;
  const most = {temperature: MOST_TEMPERATURE}[name] ?? limits[name];
  const least = name === "warmth" ? -most : from;
  const slider = make("input", {
    type: "range", id: name, min: from, max: to, step,
    "aria-label": texts.slider_of(title)});
  const number = make("input", {
    type: "number", id: `${name}_number`, min: least, max: most,
    step: name === "num_samples" ? 1 : "any", inputmode: "decimal",
    "aria-label": texts.number_of(title)});
  const initial = desk.info.defaults[name];
  const label = make("label", {for: name, title:
    `${tip}\n${texts.back_to(text(name, initial))}`}, title);
  slider.addEventListener("input", () => {
    number.value = slider.value;
    live(name, Number(slider.value));
  });
  slider.addEventListener("change", () => set(name, Number(slider.value)));
  number.addEventListener("change", () => {
    const value = clamp(Number(number.value) || 0, least, most);
    set(name, name === "num_samples" ? Math.max(1, Math.round(value)) : value);
    number.value = value;
  });
  label.addEventListener("dblclick", () => set(name, initial));
  $(holder).append(make("div", {class: "dial"}, label, slider, number));
}

function live(name, value) {
  if (!now || (name === "strength" && !state().kept)) return;
  results.preview({[name]: value});
}

function set(name, value) {
  if (!now) return;
  if (name === "strength" && !state().kept) {
    strength = value;
    render();
  } else if (value === state()[name]) {
    results.endPreview();
    render();
  } else {
    commit({[name]: value}, texts.steps[name](text(name, value)), name);
  }
}

function renderDials() {
  const {defaults} = desk.info;
  for (const name of Object.keys(DIALS)) {
    const slider = $(name), number = $(`${name}_number`);
    slider.disabled = number.disabled = !now;
    const value = now ? valueOf(name) : defaults[name];
    if (document.activeElement !== slider || !results.shown?.live) {
      slider.value = value;
    }
    if (document.activeElement !== number) {
      number.value = Number(value.toFixed(DIALS[name].digits));
    }
    const {from, to} = DIALS[name];
    slider.style.setProperty(
      "--at", `${100 * clamp((value - from) / (to - from), 0, 1)}%`);
    slider.setAttribute("aria-valuetext", text(name, value));
  }
  $("reset").hidden = !now || ["warmth", "saturation", "temperature"].every(
    name => state()[name] === defaults[name]);
}

function reset() {
  const {warmth, saturation, temperature} = desk.info.defaults;
  commit({warmth, saturation, temperature}, texts.steps.reset);
}

// --- Other results ----------------------------------------------------------

export function others() {
  if (!now) return;
  // Text, because a seed may have more digits than a JavaScript number.
  const seed = BigInt.asIntN(64, BigInt(state().seed) + 1n).toString();
  commit({seed, chosen: 0}, texts.steps.others);
}

// Draws variations of the chosen result. Its latents include its warmth.
export function moreLikeThis() {
  const {shown} = results;
  if (!now || !shown || shown.live || results.busy) return;
  const kept = shown.results[shown.rank].latents.map(
    value => Number(value.toPrecision(9)));
  commit({kept, warmth: 0, chosen: 0, strength: valueOf("strength")},
         texts.steps.like(shown.rank));
}

function unlike() {
  commit({kept: null, chosen: 0}, texts.steps.unlike);
}

// --- Hints ------------------------------------------------------------------

function renderHints() {
  const all = hints.hints();
  $("no_hints").hidden = !!all.length || hints.selected.at === hints.NEW;
  const list = $("hints");
  const focused = [...list.children].findIndex(
    item => item.contains(document.activeElement));
  const button = focused >= 0 && document.activeElement.dataset.act;
  list.replaceChildren(...all.map(row));
  if (focused >= 0) {
    list.children[Math.min(focused, all.length - 1)]
      ?.querySelector(`[data-act="${button}"]`)?.focus();
  }
}

function row(hint, at) {
  const note = hints.noteOf(at);
  const sample = make("i", {class: "sample"});
  sample.style.backgroundColor = hint.rgb;
  const open = make("button", {type: "button", "data-act": "select",
                               class: "name"},
    sample, make("b", {}, String(at + 1)), make("span", {}, hint.rgb));
  if (note) open.append(icon("warning"));
  open.setAttribute("aria-label", [
    texts.hint_named(at + 1, hint.rgb), hint.muted && texts.muted, note]
    .filter(Boolean).join(", "));
  open.addEventListener("click", () => {
    if (hints.selected.at === at) hints.close();
    else hints.select(at, false);
  });
  const mute = tool("mute", hint.muted ? "muted" : "eye",
                    hint.muted ? texts.unmute_hint : texts.mute_hint,
                    () => hints.toggleMuted(at));
  mute.setAttribute("aria-pressed", hint.muted);
  const item = make("li", {"data-hint": at}, open, mute,
                    tool("delete", "delete", texts.delete_hint,
                         () => hints.drop(at)));
  item.classList.toggle("selected", hints.selected.at === at);
  item.classList.toggle("muted", hint.muted);
  if (note) item.append(make("p", {class: "warning"}, note));
  return item;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS(svg.namespaceURI, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function tool(act, name, text, run) {
  const button = make("button", {type: "button", "data-act": act,
                                 "aria-label": text, title: text}, icon(name));
  button.addEventListener("click", run);
  return button;
}

// --- Favourites -------------------------------------------------------------

function renderKept() {
  const all = now?.kept ?? [];
  $("kept_part").hidden = !all.length;
  const name = desk.id + all.map(({state: kept}) =>
    essence(kept) + kept.chosen + results.answerOf(desk.id, kept)?.key).join();
  if ($("kept").dataset.name === name) return;
  $("kept").dataset.name = name;
  $("kept").replaceChildren(...all.map(({state: kept}) => {
    const answer = results.answerOf(desk.id, kept);
    if (!answer) results.learn(desk.id, kept, renderKept);
    const button = make("button", {type: "button",
      "aria-label": texts.kept_entry(kept.chosen),
      title: texts.kept_entry(kept.chosen)},
      answer ? make("img", {alt: "", src: pictureOf(
        desk.id, kept.chosen, 128, answer.key)}) : make("i"),
      make("b", {}, String(kept.chosen)));
    button.addEventListener("click", () => {
      commit(structuredClone(kept), texts.steps.kept(kept.chosen));
      look({before: false});
    });
    return make("li", {}, button);
  }));
}

// --- Start ------------------------------------------------------------------

function render() {
  if (!$("warmth")) return;
  renderDials();
  renderHints();
  renderKept();
  $("varied").hidden = !now || !state().kept;
  for (const id of ["others", "like"]) $(id).disabled = !now;
  $("like").disabled ||= !results.shown;
  $("add_hint").disabled = !now;
}

export function startPanel() {
  for (const name of Object.keys(DIALS)) makeDial(name);
  const click = (id, act) => $(id).addEventListener("click", act);
  click("others", others);
  click("like", moreLikeThis);
  click("unlike", unlike);
  click("reset", reset);
  hints.onHints(render);
  results.onResults(render);
  on("kept", render);
  on("step", render);
  for (const button of $("tabs").children) {
    const {sheet} = button.dataset;
    button.addEventListener("click", () =>
      look({sheet: view.sheet === sheet ? "" : sheet}));
    onView(() => button.setAttribute("aria-expanded", view.sheet === sheet));
  }
  render();
}
