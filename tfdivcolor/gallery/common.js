// Small functions that the gallery and the studio share.

export const $ = id => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

// Gives a message to screen readers, and shows it on the screen if `seen`.
export function say(text, seen = false) {
  $("status").textContent = text;
  $("status").classList.toggle("seen", seen);
  clearTimeout(say.timer);
  if (seen) {
    say.timer = setTimeout(() => $("status").classList.remove("seen"), 3500);
  }
}

export function percent(share) {
  const whole = Math.round(100 * share);
  return whole || !share ? `${whole} %` : "<1 %";
}

// --- Memory ---------------------------------------------------------------

// A browser may forbid storage to pages from files. The page then forgets
// everything when it closes.
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch (error) {
    return null;
  }
}

export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch (error) { /* as above */ }
}

// --- Brightness of the surround -------------------------------------------

const SURROUNDS = ["dark", "grey", "light"];
const SURROUND = "tfdivcolor/surround";

export function nextSurround() {
  const now = SURROUNDS.indexOf(document.body.dataset.surround);
  const name = SURROUNDS[(now + 1) % SURROUNDS.length];
  document.body.dataset.surround = name;
  remember(SURROUND, name);
  return name;
}

export function recallSurround() {
  const name = recall(SURROUND);
  if (SURROUNDS.includes(name)) document.body.dataset.surround = name;
}

// --- Keys -----------------------------------------------------------------

const HOLD = 300;  // ms from which a key counts as held, not tapped
let held = null;

export function press(key) {
  held = {key, since: performance.now()};
}

// "tapped" or "held" for the last pressed key; null for any other key.
export function release(key) {
  if (!held || key.toLowerCase() !== held.key) return null;
  const long = performance.now() - held.since > HOLD;
  held = null;
  return long ? "held" : "tapped";
}

// --- Dialogs --------------------------------------------------------------

export function closeByClickBehind() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", event => {
      if (event.target === dialog) dialog.close();
    });
  }
}

// --- Tiles ----------------------------------------------------------------

// Chooses the number of columns that makes the tiles of a list largest.
export function fitTiles(list, aspect, largest) {
  const count = list.children.length, gap = 12, edge = 6;
  const width = list.clientWidth - edge, height = list.clientHeight - edge;
  const under = list.querySelector(".under")?.offsetHeight || 30;
  let best = 0, columns = 1;
  for (let tried = 1; tried <= count; tried++) {
    const rows = Math.ceil(count / tried);
    const size = Math.min(
      (width - gap * (tried - 1)) / tried,
      ((height - gap * (rows - 1)) / rows - under) * aspect);
    if (size > best) [best, columns] = [size, tried];
  }
  // If all tiles would be small, the list scrolls instead.
  const least = width < 600 ? (width - gap) / 2 : 130;
  if (best < least) {
    best = least;
    columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  }
  best = Math.floor(Math.min(best, largest));
  list.style.gridTemplateColumns = `repeat(${columns}, ${best}px)`;
  return best;
}

// Sizes thumbnails so that all of them fit, within limits.
export function fitThumbs(list, aspect) {
  const count = list.children.length;
  const room = (list.clientHeight - 15 - 10 * (count - 1)) / count;
  const size = clamp(room * aspect, 44, 116);
  list.style.setProperty("--thumb", `${Math.floor(size)}px`);
}
