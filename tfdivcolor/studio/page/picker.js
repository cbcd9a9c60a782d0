// The part of the panel for the colour of the selected hint.

import {get} from "./api.js";
import {hexOf, labOf, readHex} from "./color.js";
import {$, make, percent, say} from "./common.js";
import {desk} from "./desk.js";
import {showDisc, startDisc} from "./disc.js";
import {openDropper} from "./dropper.js";
import * as hints from "./hints.js";
import * as results from "./results.js";
import {texts} from "./texts.js";

// A button that chooses a colour.
export function chip(rgb, name, act, text = "") {
  const sample = make("i");
  sample.style.backgroundColor = rgb;
  const button = make("button", {
    type: "button", class: "chip", "data-rgb": rgb, "aria-label": name,
    title: name}, sample, ...(text ? [make("span", {}, text)] : []));
  button.addEventListener("click", () => act(rgb));
  return button;
}

// Buttons for the possible colours of the point.
export function chips(holder) {
  const {about, at, x, y} = hints.selected;
  const name = [at, x, y, about?.colors.map(
    ({rgb, share}) => rgb + share)].join();
  if (holder.dataset.name === name) return;
  const focused = holder.contains(document.activeElement);
  holder.dataset.name = name;
  holder.classList.toggle("waiting", !about);
  holder.replaceChildren(...(about ? about.colors.map(({rgb, share}) => chip(
    rgb, texts.possible_color(rgb, percent(share)), hints.color,
    percent(share))) : [1, 2, 3].map(() => make("i", {class: "blank"}))));
  if (about && focused) {
    holder.querySelector("button")?.focus({preventScroll: true});
  }
}

function render() {
  const {selected} = hints;
  $("picker").hidden = selected.at === null;
  if (selected.at === null) return;
  const rgb = hints.rgbOf(), {about} = selected;
  $("picker_title").textContent = selected.at === hints.NEW
    ? texts.new_hint : texts.hint_title(selected.at + 1);
  const note = selected.at >= 0 ? hints.noteOf(selected.at) : "";
  $("note").hidden = !note;
  $("note").textContent = note;
  chips($("possible"));
  if (about) showDisc(about.lightness, rgb, about.results);
  samples(rgb);
}

// Shows the chosen colour, and its appearance at the point's lightness.
function samples(rgb) {
  const {about} = hints.selected;
  const here = !about ? null : rgb
    ? hexOf(about.lightness, ...labOf(rgb).slice(1))
    : about.results[results.shown?.rank ?? 0];
  for (const [id, color] of [["asked", rgb], ["here", here]]) {
    $(id).style.backgroundColor = color ?? "";
    $(id).classList.toggle("none", !color);
    $(id).title = color ?? "";
  }
  if (document.activeElement !== $("hex")) $("hex").value = rgb ?? "";
  $("hex").removeAttribute("aria-invalid");
}

function takeHex() {
  const rgb = readHex($("hex").value);
  if (!rgb) $("hex").setAttribute("aria-invalid", "true");
  else hints.color(rgb);
}

async function loadSwatches() {
  const {groups} = await get("/api/swatches");
  $("swatches").replaceChildren(...groups.map(({id, swatches}) => make(
    "div", {role: "group", "aria-label": texts.groups[id] ?? id},
    make("h3", {}, texts.groups[id] ?? id),
    make("div", {class: "swatches"}, ...swatches.map(swatch => chip(
      swatch.rgb, texts.swatch[swatch.id] ?? swatch.id.replaceAll("_", " "),
      hints.color))))));
}

export function pickFromPicture() {
  if (hints.selected.at === null) return;
  openDropper(hints.color);
}

export function startPicker() {
  startDisc(hints.previewColor, hints.color);
  hints.onHints(render);
  results.onResults(render);
  $("hex").addEventListener("change", takeHex);
  $("hex").addEventListener("input", () => {
    const rgb = readHex($("hex").value);
    if (rgb && $("hex").value.length > 5) hints.previewColor(rgb);
  });
  $("dropper").addEventListener("click", pickFromPicture);
  $("grey").addEventListener("click", () => hints.thisIsGrey());
  $("picker_close").addEventListener("click", () => hints.close());
  loadSwatches().catch(error => say(error.message, true));
}
