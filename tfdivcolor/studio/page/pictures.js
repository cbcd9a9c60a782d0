// Pictures that change without a flicker: the old picture stays until the
// browser has decoded the new one.

import {get, Refusal} from "./api.js";

export let pending = 0;  // number of pictures in progress
let waiting = [];
let gone = () => {};
let counted = () => {};

// Calls act() when the first picture starts and when the last one is ready.
export function onPending(act) {
  counted = act;
}

// Calls act() when the server forgot results, so the page requests them again.
export function onGone(act) {
  gone = act;
}

const reading = new WeakMap();  // image -> promise of its picture

// Shows a picture in an image element. The newest call for an element wins.
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
    // The next call for this picture tries again.
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

// A promise that ends when no picture is in progress; null if none is.
export function settled() {
  return pending ? new Promise(done => waiting.push(done)) : null;
}

// Whether the server has a picture that failed, so another try makes sense.
// Waits while the server is away.
async function isThere(source) {
  try {
    await get(source);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === "gone") gone();
    return false;
  }
}
