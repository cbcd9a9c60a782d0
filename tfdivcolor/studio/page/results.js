// The results of the state that is shown. Answers are remembered, so that
// undo is instant; while a hand drags, one request at a time is on its way,
// of the newest state.

import {post, Refusal, sleep} from "./api.js";
import {settled} from "./pictures.js";
import {choose, essence, now, state} from "./session.js";

const REMEMBERED = 100;
const IDLE = 700;  // ms

const answers = new Map();  // photograph and essence of a state -> answer
const flights = new Map();  // the same, of requests on their way -> promise
const listeners = [];
let turn = 0;               // of the newest request
let anchor = null;          // latents that the chosen result has to be near

// What is on the screen: {photo, state, key, results, hints, regions, rank,
// live}, or null until there are results.
export let shown = null;
export let busy = false;

// act(): other results are shown, or work begins or ends.
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
  // Notes belong to the hints' places, which muted hints move.
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

// Asks for results that are not on the screen, while nothing else is asked
// for; act() once they are there.
export async function learn(photo, state, act) {
  while (busy || flying || learn.running) await sleep(IDLE);
  if (now?.photo.id !== photo || answerOf(photo, state)) return;
  learn.running = true;
  try {
    await ask(photo, state);
    act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;  // it stays unknown
  } finally {
    learn.running = false;
  }
}

// --- Of a step --------------------------------------------------------------

// Shows the results of the current step. With follow, the result that is
// nearest to the one chosen before becomes the chosen one.
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
      // One that came from here before may arrive later.
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

// Nothing is shown: another photograph is being opened.
export function reset() {
  turn++;
  anchor = next = null;
  set({shown: null, busy: false});
}

// The person has chosen a result.
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

// --- While a hand drags -----------------------------------------------------

let next = null, flying = false;

// Shows a state that is no step yet.
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

// The hand has let go without a change: the step's own results again.
export function endPreview() {
  next = null;
  if (shown?.live) update(false);
}

// The server forgot the results on the screen: it is to draw them again.
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
