// The download of full-size results: choice, format, progress and file.

import {get, post, Refusal, remove, sleep} from "./api.js";
import {$, make, percent, recall, remember} from "./common.js";
import {desk} from "./desk.js";
import * as results from "./results.js";
import * as session from "./session.js";
import {texts} from "./texts.js";

const FORMAT = "tfdivcolor.studio/format";
// The last format of pictures: a recipe makes files of it.
const PICTURES = "tfdivcolor.studio/pictures";
const REST = 300;  // ms between two requests for the progress

let job = null;    // id of the running export
let link = null;   // link to the finished file

function choice(name, value, title, tip = "") {
  const input = make("input", {type: "radio", name, value,
                               id: `${name}_${value}`});
  return make("label", {for: input.id}, input, make("span", {}, title),
              ...(tip ? [make("small", {}, tip)] : []));
}

function replace(id, choices, chosen) {
  const fieldset = $(id);
  for (const old of fieldset.querySelectorAll("label")) old.remove();
  fieldset.append(...choices);
  const inputs = [...fieldset.querySelectorAll("input")];
  (inputs.find(input => input.value === chosen) ?? inputs[0]).checked = true;
}

export function openTaking() {
  const {now} = session;
  if (!now || $("taking").open) return;
  if (!job) {
    const {shown} = results, {chosen, num_samples: number} = session.state();
    const kept = now.kept.length, photos = desk.photos.length;
    replace("what", [
      choice("take", "this", texts.take_this(shown?.rank ?? chosen)),
      ...(kept ? [choice("take", "kept", texts.take_kept(kept))] : []),
      choice("take", "all", texts.take_all(number)),
      ...(photos > 1 ? [choice("take", "strip", texts.take_strip(photos))]
        : [])], "this");
    replace("formats", desk.info.formats.map(({id}) => choice(
      "format", id, ...(texts.formats[id] ?? [id]))), recall(FORMAT));
    tell("");
    finish();
    $("taking_work").hidden = true;
  }
  $("taking").showModal();
  $("taking_start").focus();
}

function items(what) {
  const photo = desk.id, state = session.state();
  if (what === "strip") return "strip";
  if (what === "all") {
    return [{photo, state, ranks: [...Array(state.num_samples).keys()]}];
  }
  if (what === "this") return [{photo, state, ranks: [state.chosen]}];
  // Favourites of one state share an item.
  const groups = new Map();
  for (const {state} of session.now.kept) {
    const name = session.essence(state);
    if (!groups.has(name)) groups.set(name, {photo, state, ranks: []});
    groups.get(name).ranks.push(state.chosen);
  }
  return [...groups.values()];
}

async function start() {
  const chosen = name => document.querySelector(
    `#taking [name="${name}"]:checked`).value;
  const format = chosen("format"), what = chosen("take");
  remember(FORMAT, format);
  if (desk.info.recipe_formats.includes(format)) remember(PICTURES, format);
  const order = {format, ...format === "recipe" && {
    recipe_format: desk.info.recipe_formats.includes(recall(PICTURES))
      ? recall(PICTURES) : null}};
  $("taking_work").hidden = false;
  $("taking_progress").removeAttribute("value");
  working(true);
  tell(texts.taking(0, 1));
  try {
    while (what === "strip" && !session.allSaved()) await sleep(100);
    const mine = (await post("/api/exports", {items: items(what), ...order}
    )).id;
    job = mine;
    await watch(mine);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    job = null;
    tell(error.message);
    finish();
  }
}

async function watch(mine) {
  for (;;) {
    const now = await get(`/api/exports/${mine}`);
    if (job !== mine) return;
    if (now.state !== "running") {
      job = null;
      finish(now);
      if (now.state === "ready") ready(mine, now);
      else if (now.state === "stopped") tell(texts.stopped);
      else tell(now.error ?? texts.nothing_taken, now.left_out);
      return;
    }
    if (now.total > 1) {
      $("taking_progress").value = now.done / now.total;
      $("taking_progress").title = percent(now.done / now.total);
    }
    tell(texts.taking(now.done, now.total), now.left_out);
    await sleep(REST);
  }
}

function ready(id, {name, bytes, left_out: left}) {
  link = $("taking_link");
  link.href = `/api/exports/${id}/file`;
  link.download = name;
  link.hidden = false;
  link.click();
  $("taking_progress").value = 1;
  tell(texts.taken(name, bytes), left);
}

function tell(text, left = []) {
  $("taking_text").textContent = [
    text, left.length && texts.left_out(left)].filter(Boolean).join("\n");
}

function working(works) {
  for (const id of ["what", "formats"]) $(id).disabled = works;
  $("taking_start").hidden = works;
  $("taking_cancel").textContent = works ? texts.cancel : texts.close;
  if (works) $("taking_link").hidden = true;
}

function finish() {
  working(false);
  $("taking_link").hidden = true;
  $("taking_progress").value = 0;
}

async function cancel() {
  const stopped = job;
  if (!stopped) {
    $("taking").close();
    return;
  }
  job = null;
  finish();
  tell(texts.stopped);
  await remove(`/api/exports/${stopped}`).catch(() => {});
}

export function startTaking() {
  $("take").addEventListener("click", openTaking);
  $("taking_cancel").addEventListener("click", cancel);
  $("taking_form").addEventListener("submit", event => {
    event.preventDefault();  // the dialog stays open and shows the progress
    start();
  });
}
