// The eyedropper: picks a colour from a result, from a photograph of the
// strip, or from another picture file.

import {pictureOf, thumbnailOf} from "./api.js";
import {$, clamp, make, say} from "./common.js";
import {desk} from "./desk.js";
import {labelOf} from "./grid.js";
import * as results from "./results.js";
import {texts} from "./texts.js";

const LONGER = 1024;  // longer side of the picture, in pixels
const AROUND = 1;     // radius of the averaged square, in pixels

let take = () => {};
let at = null;        // [x, y], pixel of the canvas
let source = null;    // address of the last chosen picture

export function openDropper(act) {
  take = act;
  const {shown} = results;
  const small = which => pictureOf(desk.id, which, 128, shown.key);
  const list = [];
  if (shown) {
    for (const rank of shown.results.keys()) {
      list.push([small(rank), labelOf(rank),
                 pictureOf(desk.id, rank, LONGER, shown.key), rank]);
    }
  }
  for (const photo of desk.photos) {
    if (photo.id === desk.id && desk.photo?.is_grey) continue;
    list.push([thumbnailOf(photo.id), photo.name,
               pictureOf(photo.id, "original", LONGER)]);
  }
  $("sources").replaceChildren(...list.map(([thumb, name, whole, rank]) => {
    const button = make("button", {type: "button", "aria-label": name,
                                   title: name, "data-source": rank ?? "photo"},
      make("img", {alt: "", src: thumb, loading: "lazy"}));
    button.addEventListener("click", () => open(whole, button));
    return button;
  }));
  $("drops").showModal();
  const first = $("sources").children[shown?.rank ?? 0];
  if (first) first.click();
  $("drops_canvas").focus();
}

async function open(address, button = null) {
  source = address;
  for (const other of $("sources").children) {
    other.setAttribute("aria-pressed", other === button);
  }
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch (error) {
    if (source === address) say(texts.pick_unreadable, true);
    return false;
  }
  if (source !== address) return false;
  const canvas = $("drops_canvas");
  const factor = Math.min(
    1, LONGER / Math.max(image.naturalWidth, image.naturalHeight));
  canvas.width = Math.max(1, Math.round(factor * image.naturalWidth));
  canvas.height = Math.max(1, Math.round(factor * image.naturalHeight));
  canvas.getContext("2d", {willReadFrequently: true})
    .drawImage(image, 0, 0, canvas.width, canvas.height);
  at = null;
  $("loupe").hidden = true;
  return true;
}

// The mean colour around the point: "#rrggbb".
function colorAt([x, y]) {
  const canvas = $("drops_canvas");
  const left = Math.max(0, x - AROUND), top = Math.max(0, y - AROUND);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const {data} = context.getImageData(
    left, top, Math.min(canvas.width, x + AROUND + 1) - left,
    Math.min(canvas.height, y + AROUND + 1) - top);
  const mean = [0, 0, 0];
  for (let i = 0; i < data.length; i += 4) {
    for (let c = 0; c < 3; c++) mean[c] += 4 * data[i + c] / data.length;
  }
  return "#" + mean.map(
    level => Math.round(level).toString(16).padStart(2, "0")).join("");
}

function point(x, y) {
  const canvas = $("drops_canvas");
  at = [clamp(Math.floor(x), 0, canvas.width - 1),
        clamp(Math.floor(y), 0, canvas.height - 1)];
  const rgb = colorAt(at);
  $("drops_sample").style.backgroundColor = rgb;
  $("drops_hex").textContent = rgb;
  const box = canvas.getBoundingClientRect();
  const stage = $("drops_stage").getBoundingClientRect();
  const loupe = $("loupe");
  loupe.hidden = false;
  loupe.style.backgroundColor = rgb;
  loupe.style.left = `${box.left - stage.left
    + (at[0] + 0.5) * box.width / canvas.width}px`;
  loupe.style.top = `${box.top - stage.top
    + (at[1] + 0.5) * box.height / canvas.height}px`;
}

function choose() {
  if (!at) return;
  $("drops").close();
  take(colorAt(at));
}

export function startDropper() {
  const canvas = $("drops_canvas");
  const move = event => {
    const box = canvas.getBoundingClientRect();
    point((event.clientX - box.left) * canvas.width / box.width,
          (event.clientY - box.top) * canvas.height / box.height);
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerdown", event => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    move(event);
  });
  canvas.addEventListener("pointerup", choose);
  canvas.addEventListener("keydown", event => {
    const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0],
                ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.key === "Enter") {
      choose();
    } else if (by) {
      const step = event.shiftKey ? 1 : Math.ceil(canvas.width / 60);
      const [x, y] = at ?? [canvas.width / 2, canvas.height / 2];
      point(x + step * by[0], y + step * by[1]);
    } else {
      return;
    }
    event.preventDefault();
  });
  $("drops_open").addEventListener("click", () => $("drops_file").click());
  $("drops_file").addEventListener("change", async () => {
    const [file] = $("drops_file").files;
    if (!file) return;
    const address = URL.createObjectURL(file);
    if (await open(address)) canvas.focus();
    URL.revokeObjectURL(address);
    $("drops_file").value = "";
  });
}
