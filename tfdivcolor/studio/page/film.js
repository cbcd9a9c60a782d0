// The strip of all photographs, and the bar at the top.

import {pictureOf, thumbnailOf} from "./api.js";
import {$, make, say} from "./common.js";
import {desk, flip, go, on, place, takeOut} from "./desk.js";
import {icon} from "./panel.js";
import {show} from "./pictures.js";
import * as results from "./results.js";
import * as session from "./session.js";
import {texts} from "./texts.js";

function render() {
  const list = $("film");
  const there = new Map([...list.children].map(
    item => [item.dataset.photo, item]));
  const items = desk.photos.map(photo => there.get(photo.id) ?? item(photo));
  const more = there.get("open") ?? opener();
  const wanted = [...items, more];
  if (wanted.some((element, i) => list.children[i] !== element)
      || list.children.length !== wanted.length) {
    list.replaceChildren(...wanted);
  }
  for (const element of items) renderItem(element);
  renderBar();
}

function item(photo) {
  const image = make("img", {alt: "", src: thumbnailOf(photo.id),
                             loading: "lazy"});
  const button = make("button", {type: "button", class: "photo"}, image,
                      make("span"), make("b"));
  image.addEventListener("error", () => {
    button.classList.add("unreadable");
    button.children[1].textContent = photo.name;
  });
  button.addEventListener("click", event => {
    if (event.detail) button.blur();
    go(photo.id);
  });
  button.addEventListener("keydown", event => {
    if (event.key !== "Delete") return;
    event.stopPropagation();
    out(photo.id);
  });
  const remove = make("button", {
    type: "button", class: "remove", "aria-label": texts.remove(photo.name),
    title: texts.remove(photo.name)}, icon("close"));
  remove.addEventListener("click", () => out(photo.id));
  return make("li", {"data-photo": photo.id}, button, remove);
}

function out(id) {
  takeOut(id).catch(error => say(error.message, true));
}

function opener() {
  const button = make("button", {
    type: "button", id: "open", "aria-label": texts.open_more,
    title: texts.open_more}, icon("plus"));
  button.addEventListener("click", () => $("files").click());
  return make("li", {"data-photo": "open"}, button);
}

function renderItem(element) {
  const {photo: id} = element.dataset;
  const photo = desk.photos.find(photo => photo.id === id);
  const button = element.firstChild, kept = session.numKept(id);
  button.lastChild.textContent = kept || "";
  const name = [photo.name, photo.place, desk.errors.get(id)]
    .filter(Boolean).join("\n");
  button.title = name;
  button.setAttribute("aria-label", photo.name);
  const here = id === desk.id;
  if (here === button.hasAttribute("aria-current")) return;
  button.toggleAttribute("aria-current");
  if (!here) return;
  button.setAttribute("aria-current", "true");
  const list = $("film");
  list.scrollLeft = element.offsetLeft + element.offsetWidth / 2
    - list.clientWidth / 2;
}

// The strip shows the chosen result of each photograph that was coloured.
function renderChosen() {
  const {shown} = results;
  if (!shown || shown.live) return;
  const image = $("film").querySelector(`[data-photo="${shown.photo}"] img`);
  if (image) show(image, pictureOf(shown.photo, shown.rank, 128, shown.key));
}

function renderBar() {
  const at = place(), {photo} = desk;
  const name = desk.photos[at]?.name ?? "";
  document.title = texts.title(name);
  $("name").textContent = name;
  $("name").title = name;
  $("details").textContent = photo ? texts.size(photo) : "";
  $("details").title = photo?.notes.join("\n") ?? "";
  $("position").textContent = desk.photos.length
    ? `${at + 1} / ${desk.photos.length}` : "";
  $("previous").disabled = at <= 0;
  $("next").disabled = at >= desk.photos.length - 1;
  document.body.toggleAttribute("data-empty", !desk.photos.length);
}

export function startFilm() {
  on("photos", render);
  on("photo", render);
  session.on("kept", render);
  results.onResults(renderChosen);
  $("previous").addEventListener("click", () => flip(-1));
  $("next").addEventListener("click", () => flip(1));
}
