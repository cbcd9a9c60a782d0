// Requests to the studio's server. Each request carries the name of this tab
// and waits while the server is away. Every refusal is a Refusal.

const TAB = Array.from(crypto.getRandomValues(new Uint8Array(8)),
                       byte => byte.toString(16).padStart(2, "0")).join("");
const AGAIN = 1000;  // ms between attempts to reach the server
const LOADING = 500;
const KEEPALIVE = 30000;  // bytes; browsers refuse more than 64 kB

// The server refuses a request: HTTP status, code, and one line for the user.
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.error || `${status}`);
    Object.assign(this, {status, code: body?.code, body: body || {}});
  }
}

// --- Whether the server is there --------------------------------------------

const listeners = [];
let away = null;  // promise that ends when the server is back

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

// Returns the JSON answer. Waits while the server is away or loads its
// networks, as long as wanted() is true. Raises Refusal.
export async function call(method, path, json, wanted = () => true) {
  const options = {method, headers: {"X-Tab": TAB}};
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
    // The browser sends the last step even if the user closes the page.
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

let loading = null;  // promise that ends when the networks are loaded

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

// Sends a file and calls progress(share), 0 to 1. Raises Refusal, with status
// 0 if the browser cannot send the file, perhaps because it cannot read it.
export function upload(file, name, progress) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();  // fetch reports no progress
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

// The smallest size with a pixel for each pixel of the screen.
export function sizeFor(pixels) {
  return SIZES.find(size => size >= 0.9 * pixels) ?? SIZES.at(-1);
}

export const thumbnailOf = photo => `/api/photos/${photo}/thumbnail`;
