// The open photographs, and the current one.

import {get, remove, Refusal, sleep} from "./api.js";
import {remember, say} from "./common.js";
import * as results from "./results.js";
import * as session from "./session.js";
import {texts} from "./texts.js";

const LOADING = 500;  // ms
const REST = 2000;
export const LAST = "tfdivcolor.studio/photograph";

export const desk = {
  info: null,     // answer of /api/studio
  photos: [],     // photographs of the strip
  id: null,       // id of the current photograph, from the start of opening
  photo: null,    // its description, once the server has read it
  reading: false, loading: false,
  errors: new Map(),  // id -> reason why a photograph does not open
};
const listeners = {photos: [], photo: []};

export function on(event, act) {
  listeners[event].push(act);
}

function tell(event) {
  for (const act of listeners[event]) act();
}

// Reads the state of the studio, and waits until its networks are loaded.
export async function refresh() {
  for (;;) {
    desk.info = await get("/api/studio");
    desk.photos = desk.info.photos;
    desk.loading = !desk.info.ready && !desk.info.model_error;
    tell("photos");
    if (!desk.loading) return;
    await sleep(LOADING);
  }
}

export function add(photo) {
  if (!desk.photos.some(({id}) => id === photo.id)) desk.photos.push(photo);
  tell("photos");
}

export const place = (id = desk.id) =>
  desk.photos.findIndex(photo => photo.id === id);

export const nameOf = id =>
  desk.photos.find(photo => photo.id === id)?.name ?? "";

export async function go(id) {
  if (!id || id === desk.id || place(id) < 0) return;
  Object.assign(desk, {id, photo: null, reading: true});
  session.leave();
  results.reset();
  history.replaceState(null, "", `#${id}`);
  remember(LAST, id);
  tell("photo");
  say(texts.is_shown(place() + 1, nameOf(id)));
  try {
    await open(id);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (desk.id !== id) return;
    desk.errors.set(id, error.code === "photo" ? texts.no_photo
      : texts.refused(nameOf(id), error.message));
    desk.reading = false;
    tell("photo");
  }
}

async function open(id) {
  let photo;
  for (;;) {
    photo = await get(`/api/photos/${id}`);
    if (desk.id !== id) return;
    desk.errors.delete(id);
    Object.assign(desk, {photo, reading: false});
    if (photo.session) break;
    tell("photo");  // the page can show the grey picture already
    if (desk.info.model_error) return;
    await sleep(LOADING);
    if (desk.id !== id) return;
  }
  session.enter(photo, desk.info.defaults);
  tell("photo");
  await results.update();
  clearTimeout(open.timer);
  open.timer = setTimeout(readNext, REST);
}

// Lets the server read the next photograph, the likely next choice.
function readNext() {
  const next = desk.photos[place() + 1];
  if (next) get(`/api/photos/${next.id}`).catch(() => {});
}

// Opens the photograph again after the server forgot it.
export function reopen() {
  const {id} = desk;
  desk.id = null;
  if (place(id) >= 0) go(id);
  else if (desk.photos.length) go(desk.photos[0].id);
  else tell("photo");
}

export function flip(step) {
  const photo = desk.photos[place() + step];
  if (photo) go(photo.id);
}

export async function takeOut(id) {
  const name = nameOf(id), at = place(id);
  try {
    await remove(`/api/photos/${id}`);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "photo") throw error;
  }
  desk.photos = desk.photos.filter(photo => photo.id !== id);
  desk.errors.delete(id);
  session.forget(id);
  tell("photos");
  say(texts.removed(name), true);
  if (desk.id !== id) return;
  Object.assign(desk, {id: null, photo: null, reading: false});
  const neighbour = desk.photos[Math.min(at, desk.photos.length - 1)];
  if (neighbour) {
    go(neighbour.id);
  } else {
    session.leave();
    results.reset();
    history.replaceState(null, "", "#");
    tell("photo");
  }
}
