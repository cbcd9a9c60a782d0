// The history of each photograph: its steps, the current step and the
// favourites. The page sends every change to the server, in order.

import {post, Refusal, sleep} from "./api.js";
import {say} from "./common.js";
import {texts} from "./texts.js";

const COALESCE = 1500;  // ms; faster changes of one kind share a step
const AT_ONCE = 300;    // limit for steps in one request
const MOST_KEPT = 100;

const sessions = new Map();  // id of a photograph -> its session
const listeners = {step: [], kept: [], amended: []};

export let now = null;  // the session of the current photograph

// event: "step" (another step is current), "amended" (a step changed, but its
// results did not) or "kept" (the favourites changed).
export function on(event, act) {
  listeners[event].push(act);
}

function tell(event) {
  for (const act of listeners[event]) act();
}

export function enter(photo, defaults) {
  if (!sessions.has(photo.id)) {
    const session = {
      photo, saving: false, dirty: Infinity, moved: false, follows: false,
      group: null, since: 0, ...photo.session};
    sessions.set(photo.id, session);
    if (!session.history.length) {
      session.history = [
        {state: structuredClone(defaults), label: texts.steps.start,
         thumb: null}];
      session.at = session.dirty = 0;
    }
  }
  now = sessions.get(photo.id);
  now.photo = photo;
  now.group = null;
  tell("kept");
}

export function leave() {
  now = null;
}

export function forget(id) {
  sessions.delete(id);
}

export const state = () => now.history[now.at].state;

// The part of a state that determines the results, as text.
export function essence(state) {
  const hints = state.hints.filter(hint => !hint.muted).map(
    ({x, y, rgb}) => [x, y, rgb]);
  const kept = state.kept && state.kept.join();
  return JSON.stringify([
    state.seed, state.num_samples, state.temperature, state.warmth,
    state.saturation, kept, kept ? state.strength : 0, hints]);
}

// --- Steps ------------------------------------------------------------------

// Adds a step: the current state with changes. A step soon after one of the
// same group replaces it.
export function commit(changes, label, group = null) {
  const next = {...structuredClone(state()), ...changes};
  next.chosen = Math.min(next.chosen, next.num_samples - 1);
  const time = performance.now();
  const merges = group && group === now.group && now.at > 0
    && now.at === now.history.length - 1 && time - now.since < COALESCE;
  if (!merges) now.at++;
  now.history.length = now.at;
  now.history.push({state: next, label, thumb: null});
  // A new choice does not follow the previously chosen result.
  Object.assign(now, {group, since: time, follows: !("chosen" in changes)});
  touch(now, now.at);
  tell("step");
}

// Changes a step without a change of its results.
export function amend(step, changes) {
  const at = now.history.indexOf(step);
  if (at < 0) return;
  Object.assign(step, changes);
  touch(now, at);
  tell("amended");
}

export function choose(chosen) {
  const step = now.history[now.at];
  if (step.state.chosen === chosen) return;
  amend(step, {state: {...step.state, chosen}, thumb: null});
}

export function jump(at) {
  if (!now || at === now.at || !now.history[at]) return;
  Object.assign(now, {at, group: null, moved: true, follows: false});
  save(now);
  tell("step");
}

export const undo = () => jump(now ? now.at - 1 : -1);
export const redo = () => jump(now ? now.at + 1 : -1);

// --- Favourites -------------------------------------------------------------

function placeOfKept(state, rank) {
  const wanted = essence(state);
  return now.kept.findIndex(kept =>
    kept.state.chosen === rank && essence(kept.state) === wanted);
}

export const isKept = (state, rank) => placeOfKept(state, rank) >= 0;

export function toggleKept(state, rank) {
  const place = placeOfKept(state, rank);
  if (place < 0 && now.kept.length >= MOST_KEPT) {
    say(texts.kept_full(MOST_KEPT), true);
    return;
  }
  if (place >= 0) now.kept.splice(place, 1);
  else now.kept.push({state: {...structuredClone(state), chosen: rank}});
  now.moved = true;
  save(now);
  tell("kept");
  say(texts.now_kept(texts.result(rank), place < 0));
}

export const numKept = id => sessions.get(id)?.kept.length || 0;

// --- Saving -----------------------------------------------------------------

function touch(session, at) {
  session.dirty = Math.min(session.dirty, at);
  save(session);
}

async function save(session) {
  if (session.saving) return;
  session.saving = true;
  try {
    while (session.moved || session.dirty < Infinity) await send(session);
  } finally {
    session.saving = false;
  }
}

async function send(session) {
  const {history, dirty} = session;
  const keep = Math.min(dirty, history.length);
  const end = Math.min(history.length, keep + AT_ONCE);
  const states = history.slice(keep, end);
  session.dirty = end < history.length ? end : Infinity;
  session.moved = false;
  try {
    const answer = await post(`/api/photos/${session.photo.id}/session`, {
      revision: session.revision, keep, states,
      at: Math.min(session.at, end - 1), kept: session.kept});
    session.revision = answer.revision;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.code === "revision") {
      adopt(session, error.body.session);
    } else {
      session.dirty = Infinity;
      say(error.message, true);
      if (error.status >= 500) {  // for example a full disk: try again
        session.dirty = keep;
        await sleep(5000);
      }
    }
  }
}

// Takes over the session of another tab.
function adopt(session, theirs) {
  Object.assign(session, theirs, {dirty: Infinity, moved: false, follows: false,
                                 group: null});
  if (session !== now) return;
  say(texts.other_tab, true);
  tell("kept");
  tell("step");
}

// Whether the server has all steps of all photographs.
export function allSaved() {
  return [...sessions.values()].every(session => !session.saving);
}
