// Pieces with the photograph's own pixels, for a zoom beyond the pixels of the
// whole picture.

import {partOf} from "./api.js";
import {make} from "./common.js";
import {show} from "./pictures.js";

const PIECE = 768;           // side of a piece, in pixels of the screen
const REDUCTIONS = [8, 4, 2, 1];

// The reduction that gives a pixel for each pixel of the screen; null if the
// whole picture of `size` has enough pixels.
export function reduction(photo, scale, size) {
  const wanted = scale * devicePixelRatio;
  const there = Math.min(1, size / Math.max(photo.width, photo.height));
  if (there >= 0.95 * Math.min(1, wanted)) return null;
  return REDUCTIONS.find(factor => 1 / factor >= 0.95 * Math.min(1, wanted));
}

// Puts the visible pieces over the picture of a layer.
// seen: [left, top, right, bottom] in fractions of the picture.
export function layPieces(layer, photo, which, key, reduce, seen) {
  const holder = layer.querySelector(".detail");
  const name = [photo.id, which, key].join("/");
  if (holder.dataset.name !== name) holder.replaceChildren();
  holder.dataset.name = name;
  if (!reduce) {
    holder.replaceChildren();
    return;
  }
  const side = PIECE * reduce;
  const wanted = new Map();
  const [left, top, right, bottom] = [
    seen[0] * photo.width, seen[1] * photo.height,
    seen[2] * photo.width, seen[3] * photo.height];
  for (let y = Math.floor(top / side) * side; y < bottom; y += side) {
    for (let x = Math.floor(left / side) * side; x < right; x += side) {
      if (x < 0 || y < 0 || x >= photo.width || y >= photo.height) continue;
      const box = [x, y, Math.min(side, photo.width - x),
                   Math.min(side, photo.height - y)];
      wanted.set(`${reduce}/${x}/${y}`, box);
    }
  }
  // Coarse pieces stay below until the finer ones have arrived.
  for (const piece of [...holder.children]) {
    const [itsReduce] = piece.dataset.piece.split("/");
    if (Number(itsReduce) === reduce && !wanted.has(piece.dataset.piece)) {
      piece.remove();
    }
  }
  const there = new Set([...holder.children].map(
    piece => piece.dataset.piece));
  const reading = [];
  for (const [piece, box] of wanted) {
    if (there.has(piece)) continue;
    const image = make("img", {alt: "", "data-piece": piece});
    image.style.left = `${100 * box[0] / photo.width}%`;
    image.style.top = `${100 * box[1] / photo.height}%`;
    image.style.width = `${100 * box[2] / photo.width}%`;
    image.style.height = `${100 * box[3] / photo.height}%`;
    holder.append(image);
    reading.push(show(image, partOf(photo.id, which, box, reduce, key)));
  }
  Promise.all(reading).then(() => {
    for (const piece of [...holder.children]) {
      if (Number(piece.dataset.piece.split("/")[0]) !== reduce
          && holder.dataset.name === name) piece.remove();
    }
  });
}
