// Requests to the studio's server: one tab's name on each, patience while it
// is away, and one kind of error.

const TAB = Array.from(crypto.getRandomValues(new Uint8Array(8)),
                       byte => byte.toString(16).padStart(2, "0")).join("");
const AGAIN = 1000;  // ms until a server that is gone is tried again
const LOADING = 500;
const KEEPALIVE = 30000;  // bytes; browsers refuse more than 64 kB

// What the server refuses: status, code and one line in words.
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.error || `${status}`);
    Object.assign(this, {status, code: body?.code, body: body || {}});
  }
}

// --- Whether the server is there --------------------------------------------

const listeners = [];
let away = null;  // a promise that it is back

// act(state): "gone", "back" or "locked".
export function onServer(act) {
  listeners.push(act);
}

function tell(state) {
  for (const act of listeners) act(state);
}

function whenBack() {
  away ??= (async () => {
    tell("gone");
    for (;;) {
      await sleep(AGAIN);
      try {
        await fetch("/api/studio", {headers: {"X-Tab": TAB}});
        break;
      } catch (error) { /* not yet */ }
    }
    away = null;
    tell("back");
  })();
  return away;
}

export const sleep = time => new Promise(done => setTimeout(done, time));

// --- Requests ---------------------------------------------------------------

// The JSON answer. A server that is away is waited for; one that loads its
// networks as well, as long as the answer is wanted. Raises Refusal.
export async function call(method, path, json, wanted = () => true) {
  const options = {method, headers: {"X-Tab": TAB}};
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
    // What has been done is sent even if the page is left at once.
    options.keepalive = path.endsWith("/session")
      && options.body.length < KEEPALIVE;
  }
  for (;;) {
    if (!wanted()) throw new Refusal(409, {code: "replaced"});
    let answer, body;
    try {
      answer = await fetch(path, options);
      body = await answer.json().catch(() => null);
    } catch (error) {
      await whenBack();
      continue;
    }
    if (answer.ok) return body;
    if (answer.status === 503 && body?.code === "loading") {
      await whenLoaded();
      continue;
    }
    if (answer.status === 403) tell("locked");
    throw new Refusal(answer.status, body);
  }
}

let loading = null;  // a promise that the networks are there

function whenLoaded() {
  loading ??= (async () => {
    try {
      for (;;) {
        const {ready, model_error: error} = await call("GET", "/api/studio");
        if (ready) return;
        if (error) throw new Refusal(500, {error, code: "model"});
        await sleep(LOADING);
      }
    } finally {
      loading = null;
    }
  })();
  return loading;
}

export const get = path => call("GET", path);
export const post = (path, json, wanted) => call("POST", path, json, wanted);
export const remove = path => call("DELETE", path);

// Sends a file; progress(share) goes from 0 to 1. Raises Refusal, with status
// 0 if it could not be sent: it may be the file that cannot be read.
export function upload(file, name, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();  // fetch tells no progress
    request.open("POST", "/api/photos");
    request.setRequestHeader("X-Tab", TAB);
    request.setRequestHeader("X-Name", encodeURIComponent(name));
    request.responseType = "json";
    request.upload.onprogress = event =>
      progress(event.total ? event.loaded / event.total : 0);
    request.onload = () => request.status < 300 ? done(request.response)
      : fail(new Refusal(request.status, request.response));
    request.onerror = () => fail(new Refusal(0, null));
    request.send(file);
  });
}

// --- Addresses of pictures --------------------------------------------------

export const SIZES = [128, 384, 1024, 2048];  // longer sides of whole pictures

export function pictureOf(photo, which, size, key) {
  return address(photo, which, {size}, key);
}

export function partOf(photo, which, box, reduce, key) {
  return address(photo, which, {box: box.join(), reduce}, key);
}

function address(photo, which, query, key) {
  if (key && !["grey", "original"].includes(which)) query.key = key;
  return `/api/photos/${photo}/pictures/${which}?`
    + new URLSearchParams(query).toString().replaceAll("%2C", ",");
}

// The least size that has a pixel for each of the screen's.
export function sizeFor(pixels) {
  return SIZES.find(size => size >= 0.9 * pixels) ?? SIZES.at(-1);
}

export const thumbnailOf = photo => `/api/photos/${photo}/thumbnail`;
