// The large view: the stage with one result, and the buttons below it.

import {pictureOf, sizeFor} from "./api.js";
import {$, fitThumbs, make} from "./common.js";
import {desk, flip} from "./desk.js";
import {layPieces, reduction} from "./detail.js";
import {choose, labelOf, mark, numResults, shareOf} from "./grid.js";
import {clear, show} from "./pictures.js";
import * as results from "./results.js";
import {isKept} from "./session.js";
import {makeStage} from "./stage.js";
import {texts} from "./texts.js";
import {look, onView, view} from "./view.js";

const REST = 120;  // ms from the last move to the requests for pieces

const changes = [];
let tap = () => {};
let photo = null;  // the photograph on the stage
let size = 0;      // longer side of the whole pictures, in pixels

// Calls act(x, y, event) at a click, with fractions of the picture.
export function onTap(act) {
  tap = act;
}

// Calls act() when the stage zooms or moves.
export function onStage(act) {
  changes.push(act);
}

export const stage = makeStage(() => desk.photo, {
  tap: (x, y, event) => {
    if (view.tool && x >= 0 && x < 1 && y >= 0 && y < 1) tap(x, y, event);
    else if (!view.tool) stage.toggleZoom(x, y);
  },
  swipe: flip,
  changed: stageChanged,
});

function stageChanged() {
  const {split, divider} = stage;
  if (split !== view.split || divider !== view.divider) {
    look({split, divider, before: split ? false : view.before});
  }
  $("zoom").setAttribute("aria-pressed", !!stage.zoom);
  $("zoom").textContent = percentOf(stage.scale);
  $("fit").disabled = !stage.zoom;
  clearTimeout(stageChanged.timer);
  stageChanged.timer = setTimeout(renderPieces, REST);
  for (const act of changes) act();
}

const percentOf = scale => `${Math.round(100 * scale * devicePixelRatio)} %`;

// --- Drawing ----------------------------------------------------------------

export function renderLarge() {
  $("large").hidden = view.mode !== "large" || !desk.photo;
  if ($("large").hidden) return;
  if (photo !== desk.photo) {
    photo = desk.photo;
    stage.zoom = null;
    for (const layer of ["before", "after"]) {
      clear($(layer).firstElementChild);
      $(layer).lastElementChild.replaceChildren();
    }
    $("results").replaceChildren();
  }
  renderThumbs();
  renderAgainst();
  stage.split = view.split;
  stage.divider = view.divider;
  stage.layout();
  const longer = Math.max(photo.width, photo.height)
    * Math.max(stage.fit, Math.min(stage.scale, 2 * stage.fit));
  // Never smaller than before, because the browser has that size already.
  size = Math.max(size, 1024, sizeFor(longer * devicePixelRatio));
  renderButtons();
  renderPictures().then(renderThumbPictures);  // the large picture comes first
}

const rank = () => results.shown?.rank ?? "grey";

async function renderPictures() {
  const {shown} = results;
  const source = which => pictureOf(photo.id, which, size, shown?.key);
  // While the user drags, a smaller picture shows changes sooner.
  const live = shown?.live ? Math.min(size, 1024) : size;
  const main = show($("after").firstElementChild,
                    pictureOf(photo.id, rank(), live, shown?.key));
  if (view.split || view.before || view.against === "grey") {
    show($("before").firstElementChild, source(against()));
  }
  $("after").style.visibility = view.before ? "hidden" : "";
  $("stage").dataset.key = shown?.key ?? "";
  $("stage").dataset.rank = rank();
  renderPieces();
  await main;
}

function renderPieces() {
  if (!photo || view.mode !== "large") return;
  const {box} = stage, {shown} = results;
  const {clientWidth: width, clientHeight: height} = $("stage");
  const seen = [-box.x / box.width, -box.y / box.height,
                (width - box.x) / box.width, (height - box.y) / box.height];
  const reduce = shown?.live ? null : reduction(photo, stage.scale, size);
  if (!view.before) {
    layPieces($("after"), photo, rank(), shown?.key, reduce, seen);
  }
  if (view.split || view.before) {
    layPieces($("before"), photo, against(), shown?.key, reduce, seen);
  }
}

// The picture to compare with: the user's choice if it exists, else grey.
export function against() {
  if (view.against === "original" && !photo.is_grey) return "original";
  const other = Number(view.against);
  return results.shown?.results[other] && other !== results.shown.rank
    ? other : "grey";
}

function choices() {
  return ["grey", ...(desk.photo.is_grey ? [] : ["original"]),
          ...(results.shown?.results.keys() ?? [])];
}

function renderAgainst() {
  const names = choices();
  const list = $("against");
  if (list.dataset.names !== names.join()) {
    list.dataset.names = names.join();
    list.replaceChildren(...names.map(name => make(
      "option", {value: name}, texts[name] ?? texts.result(name))));
  }
  for (const option of list.options) {
    option.disabled = option.value === String(results.shown?.rank);
  }
  list.value = against();
}

export function nextAgainst() {
  if (!desk.photo) return;
  const names = choices().filter(name => name !== results.shown?.rank);
  const at = names.indexOf(against());
  look({against: names[(at + 1) % names.length]});
}

function renderButtons() {
  const {shown} = results;
  const kept = !!shown && isKept(shown.state, shown.rank);
  $("keep").setAttribute("aria-pressed", kept);
  $("keep").lastElementChild.textContent = kept ? texts.is_kept : texts.keep;
  $("keep").disabled = !shown;
  $("tool").setAttribute("aria-pressed", view.tool);
  $("split").setAttribute("aria-pressed", view.split);
  $("glance").setAttribute("aria-pressed", view.before);
  const name = which => texts[which] ?? texts.result(which);
  $("left").textContent = view.split || view.before ? name(against()) : "";
  $("right").textContent = view.split && !view.before ? name(rank()) : "";
  $("stage").classList.toggle("before", view.before);
  $("caption").textContent = shown ? labelOf(shown.rank) : "";
  const share = shown && shareOf(shown.rank);
  $("caption").title = share ? texts.share(share) : "";
}

// --- The other results ------------------------------------------------------

function renderThumbs() {
  const list = $("results"), {shown} = results;
  const number = numResults();
  while (list.children.length > number) list.lastChild.remove();
  while (list.children.length < number) {
    list.append(thumb(list.children.length));
  }
  fitThumbs(list, photo.width / photo.height);
  for (const [at, item] of [...list.children].entries()) {
    const button = item.firstChild, here = at === shown?.rank;
    button.classList.toggle("kept", !!shown && isKept(shown.state, at));
    button.setAttribute("aria-label", labelOf(at));
    button.title = shareOf(at) ? texts.share(shareOf(at)) : "";
    if (here === button.hasAttribute("aria-current")) continue;
    button.toggleAttribute("aria-current");
    if (here) {
      button.setAttribute("aria-current", "true");
      item.scrollIntoView({block: "nearest", inline: "nearest"});
    }
  }
}

function renderThumbPictures() {
  const {shown} = results;
  if (!photo || photo !== desk.photo || shown?.live) return;
  const side = 116 * Math.max(1, photo.height / photo.width);
  const size = sizeFor(side * devicePixelRatio);
  for (const [at, item] of [...$("results").children].entries()) {
    show(item.querySelector("img"), pictureOf(
      photo.id, shown ? at : "grey", size, shown?.key));
  }
}

function thumb(at) {
  const image = make("img", {alt: ""});
  image.style.aspectRatio = `${photo.width} / ${photo.height}`;
  const button = make("button", {type: "button", class: "thumb",
                                 "data-which": at},
    image, make("b", {}, String(at)), make("i"));
  button.addEventListener("click", event => {
    if (event.shiftKey) look({against: String(at), split: true});
    else choose(at);
    if (event.detail) button.blur();
  });
  return make("li", {}, button);
}

// --- Buttons ----------------------------------------------------------------

export function startLarge() {
  const click = (id, act) => $(id).addEventListener("click", event => {
    if (event.detail) $(id).blur();  // keys act on the picture again
    act();
  });
  click("keep", () => mark());
  click("tool", () => look({tool: !view.tool}));
  click("split", () => look({split: !view.split, before: false}));
  click("glance", () => look({before: !view.before}));
  click("fit", () => stage.zoom && stage.toggleZoom());
  click("zoom", () => stage.toggleZoom());
  $("against").addEventListener("change", () =>
    look({against: $("against").value}));
  results.onResults(renderLarge);
  onView(renderLarge);
  new ResizeObserver(() => renderLarge()).observe($("stage"));
}
