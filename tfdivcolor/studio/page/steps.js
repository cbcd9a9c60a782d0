// The history as a strip. A click goes to a step.

import {pictureOf} from "./api.js";
import {$, make} from "./common.js";
import {desk} from "./desk.js";
import * as results from "./results.js";
import * as session from "./session.js";
import {texts} from "./texts.js";
import {onView, view} from "./view.js";

const PIXELS = 64;       // longer side of a step's picture
const MOST = 4000;       // limit for its data URI, in characters

let shown = null;        // the session of the strip

function render() {
  const {now} = session, list = $("steps");
  list.hidden = !now;
  $("undo").disabled = !now || !now.at;
  $("redo").disabled = !now || now.at >= now.history.length - 1;
  if (!now) return;
  if (shown !== now) list.replaceChildren();
  shown = now;
  const {history, at} = now;
  while (list.children.length > history.length) list.lastChild.remove();
  while (list.children.length < history.length) list.append(item());
  for (const [i, element] of [...list.children].entries()) {
    renderItem(element.firstChild, history[i], i, i === at);
    element.classList.toggle("undone", i > at);
  }
}

function item() {
  const button = make("button", {type: "button"},
                      make("img", {alt: "", width: 1, height: 1}),
                      make("span"));
  button.addEventListener("click", event => {
    if (event.detail) button.blur();
    session.jump([...$("steps").children].indexOf(button.parentElement));
  });
  return make("li", {}, button);
}

function renderItem(button, step, at, here) {
  const [image, label] = button.children;
  const source = step.thumb ?? "";
  if ((image.getAttribute("src") ?? "") !== source) {
    if (source) image.src = source;
    else image.removeAttribute("src");
  }
  if (label.textContent !== step.label) {
    label.textContent = button.title = step.label;
    button.setAttribute("aria-label", texts.step(at, step.label));
  }
  if (here === button.hasAttribute("aria-current")) return;
  button.toggleAttribute("aria-current");
  if (!here) return;
  button.setAttribute("aria-current", "step");
  scroll();
}

// Brings the current step to the middle.
function scroll() {
  const list = $("steps"), button = list.querySelector("[aria-current]");
  if (button) list.scrollLeft = button.offsetLeft + button.offsetWidth / 2
    - list.clientWidth / 2;
}

// Gives the current step a small picture of its chosen result.
async function picture() {
  const {shown, busy} = results, {now} = session;
  const step = now?.history[now.at];
  if (!shown || shown.live || busy || !step || step.thumb
      || shown.photo !== now.photo.id || shown.state !== step.state
         && session.essence(shown.state) !== session.essence(step.state)) {
    return;
  }
  const {chosen} = step.state;
  const image = new Image();
  image.src = pictureOf(desk.id, chosen, 128, shown.key);
  try {
    await image.decode();
  } catch (error) {
    return;  // the next results bring another try
  }
  if (session.now !== now || step.state.chosen !== chosen) return;
  const factor = PIXELS / Math.max(image.naturalWidth, image.naturalHeight);
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(factor * image.naturalWidth)),
    height: Math.max(1, Math.round(factor * image.naturalHeight))});
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const thumb = canvas.toDataURL("image/jpeg", 0.75);
  if (thumb.startsWith("data:image/jpeg") && thumb.length < MOST) {
    session.amend(step, {thumb});
  }
}

function soon() {
  clearTimeout(soon.timer);
  soon.timer = setTimeout(picture, 250);
}

export function startSteps() {
  for (const event of ["step", "amended"]) session.on(event, render);
  onView(() => {
    // On a narrow screen the strip was hidden before.
    if (view.sheet === "steps") scroll();
  });
  session.on("amended", soon);
  results.onResults(() => {
    render();
    soon();
  });
  for (const name of ["undo", "redo"]) {
    $(name).addEventListener("click", event => {
      if (event.detail) $(name).blur();
      session[name]();
    });
  }
}
