// Pictures that change without a flicker: the old one stays until the new one
// has been read.

import {get, Refusal} from "./api.js";

export let pending = 0;  // pictures that are being read
let waiting = [];
let gone = () => {};
let counted = () => {};

// act(): reading begins, or all is read.
export function onPending(act) {
  counted = act;
}

// act(): results have to be asked for again, as the server forgot them.
export function onGone(act) {
  gone = act;
}

const reading = new WeakMap();  // image -> promise of its picture

// Shows a picture in an image. Of several, the last one asked for is shown.
export function show(image, source) {
  if (image.dataset.source !== source) {
    image.dataset.source = source;
    reading.set(image, read(image, source));
  }
  return reading.get(image);
}

async function read(image, source) {
  if (!pending++) counted();
  try {
    const reader = new Image();
    for (let tries = 0; tries < 3; tries++) {
      reader.src = source;
      try {
        await reader.decode();
      } catch (error) {
        if (image.dataset.source !== source) return;
        if (await isThere(source)) continue;
        break;
      }
      if (image.dataset.source !== source) return;
      image.decoding = "sync";
      image.src = source;
      image.classList.add("shown");
      return;
    }
    // So that it is read when it is asked for again.
    if (image.dataset.source === source) delete image.dataset.source;
  } finally {
    pending--;
    if (!pending) {
      for (const done of waiting) done();
      waiting = [];
      counted();
    }
  }
}

export function clear(image) {
  delete image.dataset.source;
  image.removeAttribute("src");
  image.classList.remove("shown");
}

// When nothing is being read.
export function settled() {
  return pending ? new Promise(done => waiting.push(done)) : null;
}

// Why a picture failed: whether it is worth another try. Waits for a server
// that is away.
async function isThere(source) {
  try {
    await get(source);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === "gone") gone();
    return false;
  }
}
