// The studio's page: starts its parts and shows progress and errors.

import {onServer, Refusal} from "./api.js";
import {$, closeByClickBehind, recall, recallSurround, say} from "./common.js";
import {desk, go, LAST, on as onDesk, place, refresh, reopen} from "./desk.js";
import {startDropper} from "./dropper.js";
import {startFilm} from "./film.js";
import {renderGrid} from "./grid.js";
import * as hints from "./hints.js";
import {startKeys} from "./keys.js";
import {renderLarge, startLarge} from "./large.js";
import {startOpening} from "./opening.js";
import {startPanel} from "./panel.js";
import {startPicker} from "./picker.js";
import {onGone, onPending, pending} from "./pictures.js";
import * as results from "./results.js";
import {startRings} from "./rings.js";
import * as session from "./session.js";
import {startSteps} from "./steps.js";
import {startTaking} from "./takeaway.js";
import {fill, texts} from "./texts.js";
import {onView, recallView, view} from "./view.js";

const PATIENCE = 150;  // ms from the start of work to the progress message

// --- Progress and errors ----------------------------------------------------

function work() {
  if (desk.reading) return texts.reading(desk.photos[place()]?.name ?? "");
  if (!desk.photo) return "";
  if (!desk.photo.session || results.busy && desk.loading) return texts.loading;
  return results.busy ? texts.coloring : "";
}

function renderWork() {
  const text = work(), busy = !!text || pending > 0;
  document.body.toggleAttribute("data-busy", busy);
  clearTimeout(renderWork.timer);
  if (!busy) {
    $("busy").hidden = true;
    return;
  }
  renderWork.timer = setTimeout(() => {
    $("busy").hidden = false;
    $("busy_text").textContent = text;
  }, $("busy").hidden ? PATIENCE : 0);
}

function notice(text) {
  $("notice").hidden = !text;
  $("notice").firstElementChild.textContent = text || "";
}

function renderDesk() {
  $("welcome").hidden = !!desk.photos.length || !desk.info;
  notice(desk.info?.model_error ?? desk.errors.get(desk.id));
  for (const id of ["take", "to_grid", "to_large"]) {
    $(id).disabled = !session.now;
  }
  renderWork();
  renderGrid();
  renderLarge();
}

function renderView() {
  for (const mode of ["grid", "large"]) {
    $(`to_${mode}`).setAttribute("aria-pressed", view.mode === mode);
  }
  renderGrid();
}

function report(error) {
  if (error instanceof Refusal) notice(error.message);
  else throw error;
}

// --- Start ------------------------------------------------------------------

let away = false;

function serverSays(state) {
  if (state === "locked") {
    $("locked").hidden = false;
    return;
  }
  away = state === "gone";
  $("gone").hidden = state !== "gone";
  $("gone").textContent = state === "gone" ? texts.gone : "";
  if (state !== "back") return;
  say(texts.back, true);
  refresh().then(() => {
    if (place() < 0) reopen();
  }, report);
}

async function start() {
  fill(document);
  recallSurround();
  onServer(serverSays);
  onPending(renderWork);
  onGone(() => results.redraw().catch(report));
  addEventListener("beforeunload", event => {
    if (away && !session.allSaved()) event.preventDefault();
  });
  addEventListener("unhandledrejection", event => {
    if (!(event.reason instanceof Refusal)) return;
    event.preventDefault();
    report(event.reason);
  });
  session.on("step", () => {
    results.update(session.now.follows).catch(report);
    hints.refresh();
  });
  onDesk("photo", () => {
    hints.refresh();
    renderDesk();
  });
  onDesk("photos", renderDesk);
  results.onResults(() => {
    renderWork();
    renderGrid();
  });
  session.on("kept", () => {
    renderGrid();
    renderLarge();
  });
  startFilm();
  startLarge();
  startRings();
  startPicker();
  startDropper();
  startSteps();
  startOpening();
  startTaking();
  startKeys();
  onView(renderView);
  recallView();
  new ResizeObserver(renderGrid).observe($("grid"));
  closeByClickBehind();
  $("notice_close").addEventListener("click", () => notice(""));
  let started = false;
  onDesk("photos", () => {
    if (started) return;
    started = true;
    startPanel();
    // The tab's own photograph, else the last one of any tab.
    const wanted = [location.hash.slice(1), recall(LAST),
                    desk.photos[0]?.id].find(id => place(id) >= 0);
    go(wanted).catch(report);
  });
  await refresh();
}

start().catch(report);
