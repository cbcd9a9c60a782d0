// A smooth outline of the part of the picture that moves with a point.

import {get, Refusal} from "./api.js";
import {$} from "./common.js";
import {desk} from "./desk.js";
import * as results from "./results.js";

const LEVEL = 0.5;   // similarity of a pixel on the outline
const FINER = 3;     // cells of the outline's grid per pixel of the canvas

const known = new Map();  // id of a photograph -> its regions, or null

// The soft assignment of pixels to regions; null until it arrives.
function regions() {
  const {id} = desk.photo;
  if (known.has(id)) return known.get(id);
  if (!results.shown?.regions) return null;
  known.set(id, null);
  get(`/api/photos/${id}/regions`).then(answer => {
    const levels = Uint8Array.from(
      atob(answer.assignment), letter => letter.charCodeAt(0));
    known.set(id, {size: answer.size, number: answer.regions, levels});
  }).catch(error => {
    if (!(error instanceof Refusal)) throw error;
    if (error.code !== "none") known.delete(id);
  });
  return null;
}

// The lower sample and the weight of the next. Samples are at the middles of
// pixels; the outer samples extend to the edge.
function weights(at, size) {
  const place = Math.min(size - 1, Math.max(0, at * size - 0.5));
  const low = Math.min(size - 2, Math.floor(place));
  return [low, place - low];
}

// The assignment at a point, given in fractions of the picture.
function assignmentAt({size, number, levels}, x, y) {
  const [column, right] = weights(x, size), [row, down] = weights(y, size);
  const corners = [[row, column, (1 - down) * (1 - right)],
                   [row, column + 1, (1 - down) * right],
                   [row + 1, column, down * (1 - right)],
                   [row + 1, column + 1, down * right]];
  const found = new Float32Array(number);
  for (const [r, c, weight] of corners) {
    const start = (r * size + c) * number;
    for (let m = 0; m < number; m++) found[m] += weight * levels[start + m];
  }
  return found;
}

// How much each pixel moves with the point: 1 moves like the point itself.
function similarity(regions, x, y) {
  const {size, number, levels} = regions;
  const point = assignmentAt(regions, x, y);
  const whole = point.reduce((sum, value) => sum + value * value, 0) || 1;
  const found = new Float32Array(size * size);
  for (let i = 0; i < found.length; i++) {
    let sum = 0;
    for (let m = 0; m < number; m++) sum += point[m] * levels[i * number + m];
    found[i] = sum / whole;
  }
  return found;
}

// Interpolates values on a finer grid, [side + 1, side + 1], edge to edge.
function finer(values, size) {
  const side = size * FINER;
  const found = new Float32Array((side + 1) ** 2);
  for (let r = 0; r <= side; r++) {
    const [row, down] = weights(r / side, size);
    for (let c = 0; c <= side; c++) {
      const [column, right] = weights(c / side, size);
      const at = row * size + column;
      const upper = values[at] + right * (values[at + 1] - values[at]);
      const lower = values[at + size]
        + right * (values[at + size + 1] - values[at + size]);
      found[r * (side + 1) + c] = upper + down * (lower - upper);
    }
  }
  return [found, side];
}

// The lines where the values cross the level: lists of points in fractions.
// Marching squares give pieces; the function joins them end to end.
function lines([values, side]) {
  const width = side + 1;
  const ends = new Map();  // crossed edge of the grid -> linked edges
  const points = new Map();
  const cross = (one, other) => {  // indices of two neighbouring points
    const edge = one * 2 + (other - one === 1 ? 0 : 1);
    if (!points.has(edge)) {
      const part = (LEVEL - values[one]) / (values[other] - values[one]);
      const x = one % width, y = Math.floor(one / width);
      points.set(edge, other - one === 1 ? [(x + part) / side, y / side]
        : [x / side, (y + part) / side]);
    }
    return edge;
  };
  const join = (one, other) => {
    for (const [from, to] of [[one, other], [other, one]]) {
      if (!ends.has(from)) ends.set(from, []);
      ends.get(from).push(to);
    }
  };
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const a = y * width + x, b = a + 1, c = a + width, d = c + 1;
      const above = [a, b, d, c].map(at => values[at] >= LEVEL);
      const crossed = [];
      if (above[0] !== above[1]) crossed.push(cross(a, b));
      if (above[1] !== above[2]) crossed.push(cross(b, d));
      if (above[2] !== above[3]) crossed.push(cross(c, d));
      if (above[3] !== above[0]) crossed.push(cross(a, c));
      if (crossed.length === 2) join(crossed[0], crossed[1]);
      if (crossed.length === 4) {
        join(crossed[0], crossed[1]);
        join(crossed[2], crossed[3]);
      }
    }
  }
  return chains(ends).map(chain => chain.map(edge => points.get(edge)));
}

function chains(ends) {
  const found = [], used = new Set();
  const walk = start => {
    const chain = [start];
    used.add(start);
    for (let at = start; ;) {
      const next = ends.get(at).find(edge => !used.has(edge));
      if (next === undefined) break;
      used.add(next);
      chain.push(next);
      at = next;
    }
    if (chain.length > 2 && ends.get(chain.at(-1)).includes(start)) {
      chain.push(start);
    }
    found.push(chain);
  };
  // Open lines come first; they start at the picture's edge.
  for (const [edge, next] of ends) {
    if (next.length === 1 && !used.has(edge)) walk(edge);
  }
  for (const edge of ends.keys()) if (!used.has(edge)) walk(edge);
  return found.filter(chain => chain.length > 1);
}

// --- Drawing ----------------------------------------------------------------

let drawn = false;

export function clearOutline() {
  if (!drawn) return;
  drawn = false;
  const canvas = $("outline");
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// Draws the outline for a point, given in fractions of the picture.
export function drawOutline(stage, x, y) {
  const found = x >= 0 && x < 1 && y >= 0 && y < 1 && regions();
  if (!found) {
    clearOutline();
    return;
  }
  const canvas = $("outline"), {box} = stage;
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== width || canvas.height !== height) {
    Object.assign(canvas, {width, height});
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  drawn = true;
  context.beginPath();
  const place = ([px, py]) => [
    devicePixelRatio * (box.x + px * box.width),
    devicePixelRatio * (box.y + py * box.height)];
  for (const line of lines(finer(similarity(found, x, y), found.size))) {
    trace(context, line.map(place));
  }
  context.lineJoin = "round";
  for (const [color, thick] of [["#0008", 3.5], ["#ffffffe0", 1.5]]) {
    context.strokeStyle = color;
    context.lineWidth = thick * devicePixelRatio;
    context.stroke();
  }
}

// Draws a curve through the middles of a line's pieces.
function trace(context, line) {
  const closed = line[0].join() === line.at(-1).join();
  const middle = ([x, y], [u, v]) => [(x + u) / 2, (y + v) / 2];
  context.moveTo(...(closed ? middle(line[0], line[1]) : line[0]));
  for (let i = 1; i < line.length - 1; i++) {
    context.quadraticCurveTo(...line[i], ...middle(line[i], line[i + 1]));
  }
  if (closed) {
    context.quadraticCurveTo(...line[0], ...middle(line[0], line[1]));
  } else {
    context.lineTo(...line.at(-1));
  }
}
