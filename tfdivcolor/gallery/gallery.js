import {$, closeByClickBehind, fitThumbs, fitTiles, make, nextSurround, percent,
        press, recall, recallSurround, release, remember, say}
  from "./common.js";
import {makeStage} from "./stage.js";

const photos = [];      // {..., pictures: data blocks, kept: Set of ranks}
const images = new Map();  // index of a photograph -> its loaded previews
const state = {
  at: 0, rank: 0, view: "contact", only: false,
  show: "after", against: "grey",
};
const stage = makeStage(() => photos[state.at], {
  tap: toggleZoom, swipe: flip, changed: renderStage});
let target = null;      // the place in the address, until the page has it

// --- Data, while the page still loads --------------------------------------

let last = null, pending = [];

function scan() {
  const whole = document.readyState !== "loading";
  const holder = $("photographs");
  const added = photos.length;
  for (;;) {
    const node = last ? last.nextElementSibling
      : holder && holder.firstElementChild;
    // The last block may be incomplete.
    if (!node || !(whole || node.nextElementSibling)) break;
    last = node;
    if (node.type === "application/json") {
      add(JSON.parse(node.textContent), pending);
      pending = [];
    } else {
      pending.push(node);
    }
  }
  if (photos.length > added) {
    if (target && photos.length > target.at) {
      Object.assign(state, target);
      if (!photos[state.at].results[state.rank]) state.rank = 0;
      target = null;
      render();
    } else if (!added) {
      render();
    } else {
      renderBar();
    }
  }
  if (whole) {
    parsing.disconnect();
    renderBar();
  }
}

function add(photo, pictures) {
  photo.pictures = pictures;
  const ranks = recall(memory(photo));
  photo.kept = new Set((Array.isArray(ranks) ? ranks : []).filter(
    rank => Number.isInteger(rank) && photo.results[rank]));
  const index = photos.push(photo) - 1;
  const item = make("li");
  const button = make("button", {type: "button"});
  button.append(
    make("img", {alt: "", src: photo.thumbnail, width: photo.width,
                 height: photo.height, loading: "lazy"}), make("b"));
  button.addEventListener("click", () => go(index));
  item.append(button);
  $("film").append(item);
  renderFilmItem(index);
}

function source(photo, which) {
  const index = which === "grey" ? 0
    : which === "original" ? photo.results.length + 1 : which + 1;
  return photo.pictures[index].textContent;
}

// Only the current photograph and its neighbours have previews in memory.
function preload(index, whichs) {
  if (!photos[index]) return;
  if (!images.has(index)) images.set(index, new Map());
  const loaded = images.get(index);
  for (const which of whichs || kinds(photos[index])) {
    if (loaded.has(which)) continue;
    const image = new Image();
    image.src = source(photos[index], which);
    image.decode().catch(() => {});
    loaded.set(which, image);
  }
}

function kinds(photo) {
  return ["grey", ...photo.results.keys(),
          ...(photo.original ? ["original"] : [])];
}

// --- Marks -----------------------------------------------------------------

const memory = photo => "tfdivcolor.gallery/" + photo.key;

function keptOf(photo) {
  return [...photo.kept].sort((a, b) => a - b);
}

function keptFiles() {
  return photos.flatMap(
    photo => keptOf(photo).map(rank => photo.results[rank]));
}

function toggleKept(rank = state.rank) {
  const photo = photos[state.at];
  if (!photo) return;
  if (!photo.kept.delete(rank)) photo.kept.add(rank);
  remember(memory(photo), photo.kept.size ? [...photo.kept] : null);
  renderMarks();
  renderFilmItem(state.at);
  say(`${label(rank)} ${photo.kept.has(rank) ? "kept" : "not kept"}`);
}

// --- Navigation ------------------------------------------------------------

function listed() {
  return [...photos.keys()].filter(
    index => !state.only || photos[index].kept.size);
}

function ranks() {
  const photo = photos[state.at];
  if (!photo) return [];
  return state.only && photo.kept.size ? keptOf(photo)
    : [...photo.results.keys()];
}

function go(index) {
  if (!photos[index]) return;
  target = null;
  state.at = index;
  if (!ranks().includes(state.rank)) state.rank = ranks()[0];
  render();
  say(`Photograph ${listed().indexOf(index) + 1}: ${photos[index].name}`);
}

function flip(step) {
  const list = listed();
  const place = step > 0 ? list.find(index => index > state.at)
    : list.findLast(index => index < state.at);
  if (place !== undefined) go(place);
}

function choose(rank) {
  if (!ranks().includes(rank)) return;
  const tile = document.activeElement.closest(".tile");
  state.rank = rank;
  state.show = "after";
  renderChoice();
  const chosen = document.querySelector(".tile.at .open");
  if (state.view === "contact" && chosen) {
    if (tile) chosen.focus();
    chosen.parentElement.scrollIntoView({block: "nearest"});
  }
  say(label(rank));
}

function step(by) {
  const list = ranks();
  choose(list[list.indexOf(state.rank) + by]);
}

function open(view, show = "after", against = "grey") {
  if (!photos[state.at]) return;
  stage.zoom = null;
  Object.assign(state, {view, show, against});
  render();
}

function setOnly(only) {
  if (only && !photos.some(photo => photo.kept.size)) {
    say("No kept results yet", true);
    return;
  }
  state.only = only;
  const list = listed();
  go(list.find(index => index >= state.at) ?? list.at(-1));
  photos.forEach((_, index) => renderFilmItem(index));
}

function setShow(show, against = state.against) {
  if (against === "original" && !photos[state.at].original) return;
  Object.assign(state, {show, against});
  renderChoice();
}

function toggleShow(against) {
  const shown = state.show === "before" && state.against === against;
  setShow(shown ? "after" : "before", against);
}

function setSplit(split, divider) {
  if (split) state.show = "after";
  stage.setSplit(split, divider);
  renderChoice();
}

function toggleZoom(x, y) {
  if (state.view === "contact") open("large");
  stage.toggleZoom(x, y);
  renderChoice();
}

// --- Drawing ---------------------------------------------------------------

function minus(number) {
  return number.toFixed(1).replace("-", "\u2212");
}

// A result's share. Records of tfdivcolor 0.5 have no shares, only densities.
function rating(rank) {
  const share = photos[state.at].share?.[rank];
  if (typeof share === "number") return percent(share);
  const density = photos[state.at].log_prob?.[rank];
  return typeof density === "number" ? "log p " + minus(density) : "";
}

function explanation(rank) {
  return typeof photos[state.at].share?.[rank] === "number"
    ? `${rating(rank)} of the model's colourings are nearer to this result `
      + "than to the others" : "";
}

// A result's name: its rank in its call. A recipe picks some of the ranks.
function number(place) {
  return String(photos[state.at].ranks?.[place] ?? place);
}

function label(rank) {
  return `Result ${number(rank)}`
    + (rating(rank) ? ", " + rating(rank) : "");
}

function renderBar() {
  const list = listed();
  $("position").textContent = list.length
    ? `${list.indexOf(state.at) + 1} / ${list.length}`
      + (document.readyState === "loading" ? "\u2026" : "") : "0 / 0";
  $("previous").disabled = !(list[0] < state.at);
  $("next").disabled = !(list.at(-1) > state.at);
  $("only").setAttribute("aria-pressed", state.only);
  $("count").textContent = keptFiles().length;
}

function renderFilmItem(index) {
  const photo = photos[index];
  const item = $("film").children[index];
  item.hidden = state.only && !photo.kept.size;
  item.querySelector("b").textContent = photo.kept.size || "";
  const button = item.firstChild;
  const title = photo.name + (photo.kept.size ? `, ${photo.kept.size} kept` : "");
  button.title = title;
  button.setAttribute("aria-label", title);
}

function render() {
  const photo = photos[state.at];
  document.body.dataset.view = state.view;
  const now = $("film").children[state.at];
  $("film").querySelector("[aria-current]")?.removeAttribute("aria-current");
  now.firstChild.setAttribute("aria-current", "true");
  $("film").scrollLeft =
    now.offsetLeft + now.offsetWidth / 2 - $("film").clientWidth / 2;
  $("name").textContent = photo.name;
  $("details").textContent = [
    `${photo.width} \u00d7 ${photo.height}`, photo.mode,
    photo.temperature && `temperature ${photo.temperature}`,
    photo.seed && `seed ${photo.seed}`,
    photo.weights && `weights ${photo.weights}`].filter(Boolean).join("  \u00b7  ");
  $("details").title = $("details").textContent;
  if (state.against === "original" && !photo.original) {
    Object.assign(state, {show: "after", against: "grey"});
  }
  $("original").hidden = !photo.original;
  const inTile = document.activeElement.closest(".tile");
  preload(state.at);
  if (state.view === "contact") {
    $("results").replaceChildren();
    $("contact").replaceChildren(
      ...kinds(photo).filter(shown).map(tile));
    $("contact").scrollTop = 0;
  } else {
    $("contact").replaceChildren();
    $("results").replaceChildren(
      ...kinds(photo).filter(Number.isInteger).filter(shown).map(thumb));
    $("rings").replaceChildren(...photo.hints.map(ring));
  }
  renderBar();
  renderMarks();
  renderChoice();
  if (inTile) document.querySelector(".tile.at .open")?.focus();
  try {
    history.replaceState(null, "", `#${state.at}.${state.rank}`);
  } catch (error) { /* the address stays */ }
  // Load the neighbours when this photograph is on the screen.
  for (const index of images.keys()) {
    if (Math.abs(index - state.at) > 1) images.delete(index);
  }
  clearTimeout(render.timer);
  render.timer = setTimeout(() => {
    const whichs = state.view === "large" ? ["grey", state.rank] : null;
    preload(state.at + 1, whichs);
    preload(state.at - 1, whichs);
  }, 120);
}

function shown(which) {
  return !Number.isInteger(which) || ranks().includes(which);
}

function picture(which) {
  const image = images.get(state.at).get(which);
  image.alt = "";
  [image.width, image.height] = photos[state.at].preview;
  return image;
}

function tile(which) {
  const isResult = Number.isInteger(which);
  const openIt = make("button", {type: "button", class: "open",
    "aria-label": (isResult ? label(which) : which) + ": enlarge"},
    picture(which));
  const under = isResult
    ? make("button", {type: "button", class: "under", title: "Keep (Space)"},
      make("b", {}, number(which)),
      make("span", {title: explanation(which)}, rating(which)), make("i"))
    : make("div", {class: "under"}, make("span", {}, which));
  if (isResult) {
    openIt.addEventListener("focus", () => {
      if (state.rank !== which) choose(which);
    });
    under.addEventListener("click", () => {
      choose(which);
      toggleKept(which);
    });
    under.setAttribute("aria-label", `Keep ${label(which)}`);
  }
  openIt.addEventListener("click", () => {
    if (isResult) choose(which);
    open("large", isResult ? "after" : "before", isResult ? "grey" : which);
  });
  return make("li", {class: "tile", "data-which": which}, openIt, under);
}

function thumb(rank) {
  const button = make("button", {
    type: "button", class: "thumb", "data-which": rank,
    "aria-label": label(rank), title: explanation(rank) || rating(rank)},
    picture(rank), make("b", {}, number(rank)), make("i"));
  button.addEventListener("click", () => choose(rank));
  return make("li", {}, button);
}

function ring(hint) {
  const element = make("span", {class: "ring"});
  const photo = photos[state.at];
  element.style.left = `${100 * (hint.x + 0.5) / photo.width}%`;
  element.style.top = `${100 * (hint.y + 0.5) / photo.height}%`;
  element.style.backgroundColor = hint.rgb;
  return element;
}

function renderMarks() {
  const kept = photos[state.at].kept;
  for (const element of document.querySelectorAll(".tile button.under")) {
    element.setAttribute(
      "aria-pressed", kept.has(+element.parentElement.dataset.which));
  }
  for (const element of document.querySelectorAll(".thumb")) {
    element.classList.toggle("kept", kept.has(+element.dataset.which));
  }
  $("keep").setAttribute("aria-pressed", kept.has(state.rank));
  $("keep").lastChild.textContent = kept.has(state.rank) ? "Kept" : "Keep";
  renderBar();
}

// Draws everything that depends on the chosen result and its view.
function renderChoice() {
  const photo = photos[state.at];
  for (const element of document.querySelectorAll(".tile")) {
    const here = element.dataset.which === String(state.rank);
    element.classList.toggle("at", here);
    if (!here && element.dataset.glance) glance(element, element.dataset.which);
    if (here) {
      glance(element, state.show === "before" ? state.against : state.rank);
    }
  }
  for (const element of document.querySelectorAll(".thumb")) {
    const here = element.dataset.which === String(state.rank);
    element.toggleAttribute("aria-current", here);
    if (here) {
      element.setAttribute("aria-current", "true");
      element.parentElement.scrollIntoView({block: "nearest", inline: "nearest"});
    }
  }
  layout();
  if (state.view === "contact") return;

  const file = photo.results[state.rank];
  $("caption").title = explanation(state.rank);
  $("after").style.visibility = state.show === "before" ? "hidden" : "";
  $("after").alt = label(state.rank);
  const before = state.against;
  $("left").textContent = stage.split || state.show === "before" ? before : "";
  $("right").textContent = stage.split ? number(state.rank) : "";
  $("split").setAttribute("aria-pressed", stage.split);
  for (const name of ["grey", "original"]) {
    $(name).setAttribute(
      "aria-pressed", state.show === "before" && before === name);
  }
  $("file").textContent = file.name.split("/").at(-1);
  $("file").href = file.href;
  renderMarks();
}

// Shows another picture in a tile.
function glance(element, which) {
  const now = String(which);
  if ((element.dataset.glance || element.dataset.which) === now) return;
  element.dataset.glance = now;
  let image = images.get(state.at).get(Number(element.dataset.which));
  if (now !== element.dataset.which) {
    image = make("img", {alt: "", decoding: "sync",
                         src: source(photos[state.at], which)});
  }
  element.querySelector("img").replaceWith(image);
}

function draw(image, which, full) {
  const key = `${state.at}/${which}` + (full ? `/${state.rank}/full` : "");
  if (image.dataset.key === key) return;
  image.dataset.key = key;
  image.decoding = "sync";  // keeps the old picture until the new one is ready
  image.classList.toggle("luminance", !!full && which === "grey");
  image.src = full ? full.src : source(photos[state.at], which);
}

// The result file, for a zoom beyond the preview. Most browsers cannot read
// TIFF and HEIC, and the link fails if the user has moved the page.
let result = {};

function full() {
  const photo = photos[state.at];
  if (!stage.zoom || photo.width <= photo.preview[0]) return null;
  const key = `${state.at}/${state.rank}`;
  if (result.key !== key) {
    const image = new Image();
    result = {key, image, note: "reading\u2026"};
    const settle = (ready, note) => {
      if (result.image !== image) return;
      Object.assign(result, {ready, note});
      if (state.view === "large") renderChoice();
    };
    image.src = photo.results[state.rank].href;
    image.decode().then(
      () => settle(true, ""), () => settle(false, "preview only"));
  }
  return result.ready ? result.image : null;
}

function caption() {
  return [rating(state.rank), stage.zoom && result.note]
    .filter(Boolean).join("  \u00b7  ");
}

// --- Sizes -----------------------------------------------------------------

function layout() {
  const photo = photos[state.at];
  if (!photo) return;
  const aspect = photo.width / photo.height;
  if (state.view === "contact") {
    fitTiles($("contact"), aspect, 2 * photo.preview[0]);
    return;
  }
  fitThumbs($("results"), aspect);  // first, because it sets the stage's width
  stage.layout();
}

// Draws everything that depends on the zoom.
function renderStage() {
  const sharp = full();
  draw($("after"), state.rank, sharp);
  draw($("before"), state.against, state.against === "grey" && sharp);
  $("caption").textContent = caption();
  $("zoom").setAttribute("aria-pressed", !!stage.zoom);
  $("zoom").textContent =
    `${Math.round(100 * stage.scale * devicePixelRatio)} %`;
}

addEventListener("resize", layout);

// --- Buttons ---------------------------------------------------------------

const clicks = {
  previous: () => flip(-1), next: () => flip(1), back: () => open("contact"),
  only: () => setOnly(!state.only), list: openList,
  help: () => $("keys").showModal(), surround: nextSurround,
  keep: () => toggleKept(), split: () => setSplit(!stage.split),
  grey: () => toggleShow("grey"), original: () => toggleShow("original"),
  zoom: () => toggleZoom(), copy, download,
};
for (const [id, act] of Object.entries(clicks)) {
  $(id).addEventListener("click", event => {
    // Keys act on the photograph again after a click.
    if (event.detail && id !== "copy") $(id).blur();
    act();
  });
}

// --- Keyboard --------------------------------------------------------------

const keys = {
  ArrowLeft: () => flip(-1), ArrowRight: () => flip(1),
  ArrowUp: () => step(-1), ArrowDown: () => step(1),
  Home: () => go(listed()[0]), End: () => go(listed().at(-1)),
  Enter: () => open(state.view === "large" ? "contact" : "large"),
  Escape: () => stage.zoom ? toggleZoom() : open("contact"),
  " ": () => toggleKept(),
  z: () => toggleZoom(), k: () => setOnly(!state.only), l: openList,
  b: nextSurround, "?": () => $("keys").showModal(),
  s: () => {
    const split = state.view === "contact" || !stage.split;
    if (state.view === "contact") open("large");
    setSplit(split);
  },
};

function nudge(event) {
  if (!stage.nudge(event.key)) return false;
  setSplit(true);
  return true;
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !photos.length
      || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const control = event.target.closest("button, a");
  const onSlider = event.target.id === "slider";
  // The browser handles Enter and space on a focused control, except for
  // space on a picture, which keeps the result.
  const native = key === "Enter"
    || (key === " " && !event.target.closest(".open, .thumb"));
  if (control && native) return;
  const moves = onSlider && !event.shiftKey
    || (event.shiftKey && /^Arrow(Left|Right)$/.test(key)
        && state.view === "large");
  if (moves && nudge(event)) {
    event.preventDefault();
  } else if (key === "g" || key === "o") {
    if (event.repeat) return;
    press(key);
    toggleShow(key === "g" ? "grey" : "original");
  } else if (/^[0-9]$/.test(key)) {
    choose(Number(key));
  } else if (keys[key]) {
    event.preventDefault();
    if (!(event.repeat && /^[ a-z?]$|^Enter$/.test(key))) keys[key]();
  }
});

document.addEventListener("keyup", event => {
  if (event.key === " " && event.target.closest(".open, .thumb")) {
    event.preventDefault();
  }
  const how = release(event.key);
  if (how && (how === "held" || state.view === "contact")) {
    setShow("after", "grey");
  }
});

// --- List of kept results --------------------------------------------------

function openList() {
  const files = keptFiles();
  const some = photos.filter(photo => photo.kept.size).length;
  $("kept_note").textContent = files.length
    ? `${count(files.length, "result")} of ${count(some, "photograph")}. `
      + "Names are relative to this page."
    : "No kept results yet. Press Space or click below a picture to keep it.";
  $("names").value = files.map(file => file.name + "\n").join("");
  $("copy").textContent = "Copy";
  for (const id of ["copy", "download"]) $(id).disabled = !files.length;
  $("kept").showModal();
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

async function copy() {
  let done = true;
  try {
    await navigator.clipboard.writeText($("names").value);
  } catch (error) {
    // A page from a file may have no clipboard.
    $("names").select();
    done = document.execCommand("copy");
  }
  $("copy").textContent = done ? "Copied" : "Press Ctrl-C";
  say($("copy").textContent);
}

// The list has the bytes of the names, which need not be Unicode.
function download() {
  const parts = keptFiles().map(file => Uint8Array.from(
    (file.href + "%0A").match(/%..|./g),
    part => part.length > 1 ? parseInt(part.slice(1), 16)
      : part.charCodeAt(0)));
  const url = URL.createObjectURL(new Blob(parts, {type: "text/plain"}));
  make("a", {href: url, download: "kept.txt"}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// --- Start -----------------------------------------------------------------

closeByClickBehind();
recallSurround();
const asked = /^#(\d+)\.(\d+)$/.exec(location.hash);
if (asked) target = {at: Number(asked[1]), rank: Number(asked[2])};
const parsing = new MutationObserver(scan);
parsing.observe(document.body, {childList: true, subtree: true});
document.addEventListener("DOMContentLoaded", scan);
