// The colours of one lightness as a disc: hue around, chroma outwards.

import {get} from "./api.js";
import {$, make} from "./common.js";
import {hexOf, inGamut, labOf} from "./color.js";
import {texts} from "./texts.js";

const STEP = 2;            // CIE units per arrow key; with Shift a fifth
const REST = 350;          // ms from the last key to the choice of a colour
const ASKED = [25, 92];    // lightness at which 8 bits separate colours

const planes = new Map();  // lightness -> {radius, picture}
let plane = null, lightness = 50, at = null;  // [a, b]
let dragging = false, timer = 0;

// Shows a lightness, the hint's colour (or null) and the results' colours.
export function showDisc(newLightness, rgb, others) {
  lightness = newLightness;
  load(Math.round(lightness));
  if (!dragging && !timer) at = rgb ? labOf(rgb).slice(1) : null;
  render();
  $("dots").replaceChildren(...(plane ? others : []).map(color => {
    const dot = make("i");
    dot.style.backgroundColor = color;
    put(dot, labOf(color).slice(1));
    return dot;
  }));
}

function load(level) {
  if (planes.has(level)) {
    plane = planes.get(level);
  } else if (plane?.lightness !== level) {
    planes.set(level, plane);  // prevents a second request
    get(`/api/gamut/${level}`).then(answer => {
      planes.set(level, answer);
      if (Math.round(lightness) !== level) return;
      plane = answer;
      render();
    }, () => planes.delete(level));
  }
  const image = $("disc").firstElementChild;
  if (plane && image.getAttribute("src") !== plane.picture) {
    image.src = plane.picture;
  }
}

function put(element, [a, b]) {
  const distance = Math.max(1, Math.hypot(a, b) / plane.radius);
  element.style.left = `${50 + 50 * a / plane.radius / distance}%`;
  element.style.top = `${50 - 50 * b / plane.radius / distance}%`;
}

function render() {
  if (plane) $("disc").firstElementChild.src = plane.picture;
  $("marker").hidden = !at || !plane;
  if (!at || !plane) return;
  put($("marker"), inGamut(lightness, ...at));
  const rgb = hexOf(lightness, ...at);
  $("marker").style.backgroundColor = rgb;
  $("disc").setAttribute("aria-valuenow", Math.round(
    100 * Math.min(1, Math.hypot(...at) / plane.radius)));
  $("disc").setAttribute("aria-valuetext", texts.disc_value(...at, rgb));
}

// The colour for the hint. Its lightness has no effect, but 8 bits separate
// few dark colours, so the colour is lighter than the point where needed.
function asked() {
  const level = Math.min(ASKED[1], Math.max(ASKED[0], lightness));
  return hexOf(level, ...at);
}

// Calls live(rgb) while the colour changes, and taken(rgb) at the choice.
export function startDisc(live, taken) {
  const disc = $("disc");
  const point = event => {
    const box = disc.getBoundingClientRect();
    const a = (2 * (event.clientX - box.left) / box.width - 1) * plane.radius;
    const b = (1 - 2 * (event.clientY - box.top) / box.height) * plane.radius;
    at = inGamut(lightness, a, b);
    render();
    live(asked());
  };
  disc.addEventListener("pointerdown", event => {
    if (event.button || !plane) return;
    event.preventDefault();
    disc.focus({preventScroll: true});
    disc.setPointerCapture(event.pointerId);
    dragging = true;
    point(event);
  });
  disc.addEventListener("pointermove", event => {
    if (dragging) point(event);
  });
  disc.addEventListener("pointerup", () => {
    if (!dragging) return;
    dragging = false;
    taken(asked());
  });
  disc.addEventListener("pointercancel", () => {
    if (!dragging) return;
    dragging = false;
    taken(asked());
  });
  disc.addEventListener("keydown", event => {
    const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0],
                ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    if (!by || !plane || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? STEP / 5 : STEP;
    const [a, b] = at ?? [0, 0];
    at = inGamut(lightness, a + step * by[0], b + step * by[1]);
    render();
    live(asked());
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      taken(asked());
    }, REST);
  });
}
