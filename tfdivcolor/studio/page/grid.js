// The grid: the grey picture and all results.

import {pictureOf, sizeFor} from "./api.js";
import {$, fitTiles, make, percent, say} from "./common.js";
import {desk} from "./desk.js";
import {show} from "./pictures.js";
import * as results from "./results.js";
import {isKept, now, toggleKept} from "./session.js";
import {texts} from "./texts.js";
import {look, view} from "./view.js";

let photo = null;  // the photograph of the tiles

export const shareOf = rank => {
  const share = results.shown?.results[rank]?.share;
  return typeof share === "number" ? percent(share) : "";
};
export const labelOf = rank => texts.result(rank, shareOf(rank));

// The number of results, known or expected.
export function numResults() {
  return results.shown?.results.length
    ?? now?.history[now.at].state.num_samples
    ?? desk.info.defaults.num_samples;
}

export function renderGrid() {
  const list = $("grid");
  list.hidden = view.mode !== "grid" || !desk.photo;
  if (list.hidden) return;
  const {shown} = results;
  const number = numResults();
  if (photo !== desk.photo) {
    photo = desk.photo;
    list.replaceChildren();
  }
  while (list.children.length > number + 1) list.lastChild.remove();
  while (list.children.length < number + 1) {
    list.append(tile(list.children.length - 1));
  }
  const width = fitTiles(list, photo.width / photo.height,
                         2 * photo.preview[0]);
  const longer = width * Math.max(1, photo.height / photo.width);
  const size = sizeFor(longer * devicePixelRatio);
  for (const item of list.children) renderTile(item, size);
}

function tile(rank) {
  const image = make("img", {alt: ""});
  image.style.aspectRatio = `${photo.width} / ${photo.height}`;
  const open = make("button", {type: "button", class: "open"}, image);
  if (rank < 0) {
    open.setAttribute("aria-label", texts.enlarge(texts.grey));
    open.addEventListener("click", () =>
      look({mode: "large", before: true, against: "grey"}));
    return make("li", {class: "tile", "data-which": "grey"}, open,
      make("div", {class: "under"}, make("span", {}, texts.grey)));
  }
  const under = make("button", {type: "button", class: "under",
                                title: texts.keep_key},
    make("b", {}, String(rank)), make("span"), make("i"));
  open.addEventListener("focus", () => {
    if (results.shown && results.shown.rank !== rank) choose(rank);
  });
  open.addEventListener("click", () => {
    choose(rank);
    look({mode: "large", before: false});
  });
  under.addEventListener("click", event => {
    if (event.detail) under.blur();
    mark(rank);
  });
  return make("li", {class: "tile", "data-which": rank}, open, under);
}

function renderTile(item, size) {
  const {shown} = results, {which} = item.dataset;
  const image = item.querySelector("img");
  if (which === "grey" || !shown) {
    show(image, pictureOf(photo.id, "grey", size));
    item.classList.toggle("waiting", which !== "grey");
    return;
  }
  const rank = Number(which);
  const glancing = view.before && rank === shown.rank;
  show(image, pictureOf(
    photo.id, glancing ? view.against : rank, size, shown.key));
  item.classList.remove("waiting");
  item.classList.toggle("at", rank === shown.rank);
  const share = shareOf(rank);
  item.querySelector("span").textContent = share;
  item.querySelector("span").title = share && texts.share(share);
  const [open, under] = item.children;
  open.setAttribute("aria-label", texts.enlarge(labelOf(rank)));
  open.toggleAttribute("aria-current", rank === shown.rank);
  under.setAttribute("aria-pressed", isKept(shown.state, rank));
  under.setAttribute("aria-label", texts.keep_result(labelOf(rank)));
}

// --- Choosing ---------------------------------------------------------------

export function choose(rank) {
  if (!results.shown?.results[rank]) return;
  const inTile = document.activeElement.closest(".tile");
  results.pick(rank);
  if (view.before) look({before: false});
  if (view.mode === "grid") {
    const open = $("grid").querySelector(`[data-which="${rank}"] .open`);
    if (inTile && !inTile.contains(open)) open.focus();
    open.parentElement.scrollIntoView({block: "nearest"});
  }
  say(labelOf(rank));
}

export function mark(rank = results.shown?.rank) {
  if (!results.shown?.results[rank] || results.shown.live) return;
  toggleKept(results.shown.state, rank);
}
