// The results of the current state. The page remembers answers, so undo is
// instant. While the user drags, one request at a time is in flight, for the
// newest state.

import {post, Refusal, sleep} from "./api.js";
import {settled} from "./pictures.js";
import {choose, essence, now, state} from "./session.js";

const REMEMBERED = 100;
const IDLE = 700;  // ms

const answers = new Map();  // photograph and essence of a state -> answer
const flights = new Map();  // the same key -> promise of a request in flight
const listeners = [];
let turn = 0;               // number of the newest request
let anchor = null;          // latents; the nearest result becomes the chosen

// The results on the screen: {photo, state, key, results, hints, regions,
// rank, live}, or null before the first results.
export let shown = null;
export let busy = false;

// Calls act() when the results on the screen change, and when work starts or
// ends.
export function onResults(act) {
  listeners.push(act);
}

function tell() {
  for (const act of listeners) act();
}

function set(values) {
  busy = values.busy ?? busy;
  if ("shown" in values) shown = values.shown;
  tell();
}

const name = (photo, state) => photo + essence(state);

export function answerOf(photo, state) {
  return answers.get(name(photo, state));
}

function ask(photo, state, wanted) {
  const known = answerOf(photo, state);
  // Notes refer to places of hints, which change with muted hints.
  if (known && known.places === placesOf(state)) return known;
  const flight = name(photo, state) + placesOf(state);
  if (!flights.has(flight)) {
    flights.set(flight, fetchAnswer(photo, state, wanted).finally(
      () => flights.delete(flight)));
  }
  return flights.get(flight);
}

async function fetchAnswer(photo, state, wanted) {
  const answer = await post(`/api/photos/${photo}/results`, state, wanted);
  answer.places = placesOf(state);
  answers.set(name(photo, state), answer);
  if (answers.size > REMEMBERED) answers.delete(answers.keys().next().value);
  return answer;
}

const placesOf = state => state.hints.map(hint => +hint.muted).join("");

// Requests results for another part of the page when no other request is in
// flight, then calls act().
export async function learn(photo, state, act) {
  while (busy || flying || learn.running) await sleep(IDLE);
  if (now?.photo.id !== photo || answerOf(photo, state)) return;
  learn.running = true;
  try {
    await ask(photo, state);
    act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;  // a refusal is no harm
  } finally {
    learn.running = false;
  }
}

// --- Results of a step ------------------------------------------------------

// Shows the results of the current step. With follow, the result nearest to
// the previously chosen one becomes the chosen one.
export async function update(follow = false) {
  const mine = ++turn, session = now, step = now.history[now.at];
  const photo = session.photo.id;
  next = null;
  if (!follow) anchor = null;
  else anchor ??= shown?.results[shown.rank]?.latents;
  const known = answerOf(photo, step.state)?.places === placesOf(step.state);
  if (!known) set({busy: true});
  const wanted = () => mine === turn;
  let answer = null;
  while (!answer) {
    try {
      answer = await ask(photo, step.state, wanted);
    } catch (error) {
      if (!wanted()) return;
      // An older request of this tab may arrive later than this one.
      if (error.code === "replaced") continue;
      set({busy: false});
      throw error;
    }
  }
  if (!wanted()) return;
  const rank = anchor && now === session
    ? nearest(answer.results, anchor) : step.state.chosen;
  anchor = null;
  set({busy: false, shown: {...answer, photo, state: step.state, rank,
                            live: false}});
  if (step === now.history[now.at]) choose(rank);
}

// Clears the results while another photograph opens.
export function reset() {
  turn++;
  anchor = next = null;
  set({shown: null, busy: false});
}

// Makes a result the chosen one.
export function pick(rank) {
  if (!shown?.results[rank]) return;
  anchor = null;
  shown = {...shown, rank};
  if (!shown.live) choose(rank);
  tell();
}

function nearest(results, latents) {
  const distances = results.map(result => result.latents.reduce(
    (sum, value, i) => sum + (value - latents[i]) ** 2, 0));
  return distances.indexOf(Math.min(...distances));
}

// --- While the user drags ---------------------------------------------------

let next = null, flying = false;

// Shows a state before it becomes a step.
export async function preview(changes) {
  if (!now) return;
  next = {...state(), ...changes};
  if (flying) return;
  flying = true;
  try {
    while (next) {
      const wanted = next, mine = turn, photo = now.photo.id;
      next = null;
      anchor ??= shown?.results[shown.rank]?.latents;
      let answer;
      try {
        answer = await ask(photo, wanted, () => mine === turn);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
      if (!answer || mine !== turn) continue;
      set({shown: {...answer, photo, state: wanted, live: true,
                   rank: anchor ? nearest(answer.results, anchor)
                     : Math.min(wanted.chosen, wanted.num_samples - 1)}});
      await settled();
    }
  } finally {
    flying = false;
  }
}

// Shows the step's own results after a drag without a change.
export function endPreview() {
  next = null;
  if (shown?.live) update(false);
}

// Lets the server draw the results on the screen again after it forgot them.
export async function redraw() {
  if (!shown || redraw.running) return;
  redraw.running = true;
  try {
    await post(`/api/photos/${shown.photo}/results`, shown.state);
    tell();
  } catch (error) {
    if (error.code !== "replaced") throw error;
  } finally {
    redraw.running = false;
  }
}
