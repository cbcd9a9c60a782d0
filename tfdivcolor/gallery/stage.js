// The stage: one large picture with zoom, pan, and a divider between before
// and after. Both pictures share one frame, so they move together. Elements
// with data-own handle drags themselves; the stage handles only pinches there.

import {$, clamp} from "./common.js";

const CLOSEST = 8;     // limit of the zoom, screen pixels per picture pixel
const MOVED = 4;       // pixels from which a press counts as a drag
const SWIPE = 50;      // pixels from which a drag counts as a swipe

// photo() returns {width, height, preview: [w, h]} or null. act has tap(x, y,
// event) for a press without a move, in fractions of the picture; swipe(step)
// for a swipe over a picture that fits; and changed() after every layout.
export function makeStage(photo, act) {
  const root = $("stage"), frame = $("frame"), slider = $("slider");
  const stage = {
    zoom: null,  // or {x, y, scale}: the middle point in fractions of the
                 // picture, and CSS pixels per pixel of the picture
    split: false, divider: 0.5,
    box: {x: 0, y: 0, width: 1, height: 1},  // the frame on the stage
    fit: 1, close: 1, scale: 1,
    layout, toggleZoom, zoomBy, setSplit, nudge, pan, visible, fractions,
    isPinched: () => !!pinch,
  };

  // --- Sizes ---

  function layout() {
    const now = photo();
    const {clientWidth: width, clientHeight: height} = root;
    if (!now || !width || !height) return;
    stage.fit = Math.min(width / now.width, height / now.height,
                         2 * now.preview[0] / now.width);
    const pixel = 1 / devicePixelRatio;
    // If the picture fits at 100 %, zoom enlarges it beyond.
    stage.close = pixel > 1.1 * stage.fit ? pixel : 2 * stage.fit;
    stage.scale = stage.zoom ? stage.zoom.scale ?? stage.close : stage.fit;
    const box = {width: now.width * stage.scale,
                 height: now.height * stage.scale};
    const at = stage.zoom || {x: 0.5, y: 0.5};
    const place = (middle, size, room) => size <= room ? (room - size) / 2
      : clamp(room / 2 - middle * size, room - size, 0);
    box.x = Math.round(place(at.x, box.width, width));
    box.y = Math.round(place(at.y, box.height, height));
    stage.box = box;
    frame.style.left = `${box.x}px`;
    frame.style.top = `${box.y}px`;
    frame.style.width = `${box.width}px`;
    frame.style.height = `${box.height}px`;
    root.classList.toggle("zoomed", !!stage.zoom);
    // Show large pixels as squares.
    frame.classList.toggle("coarse", stage.scale * devicePixelRatio >= 4);
    layoutDivider(width, height);
    act.changed();
  }

  function layoutDivider(width, height) {
    const {box} = stage;
    const [left, right] = visible();
    const divider = left + stage.divider * (right - left);
    const top = Math.max(0, box.y);
    root.classList.toggle("split", stage.split);
    slider.style.left = `${divider}px`;
    slider.style.top = `${top}px`;
    slider.style.height = `${Math.min(height - top, box.height)}px`;
    slider.setAttribute("aria-valuenow", Math.round(100 * stage.divider));
    $("after").style.clipPath = stage.split
      ? `inset(0 0 0 ${divider - box.x}px)` : "";
    $("left").style.left = `${left + 10}px`;
    $("right").style.right = `${width - right + 10}px`;
    for (const id of ["left", "right"]) {
      $(id).style.top = `${top + 10}px`;
    }
  }

  // The left and right edge of the visible picture on the stage.
  function visible() {
    return [Math.max(0, stage.box.x),
            Math.min(root.clientWidth, stage.box.x + stage.box.width)];
  }

  // The middle of the stage, in fractions of the picture.
  function middle() {
    const {box} = stage;
    return {x: (root.clientWidth / 2 - box.x) / box.width,
            y: (root.clientHeight / 2 - box.y) / box.height};
  }

  // A point of the window, in fractions of the picture.
  function fractions(clientX, clientY) {
    const box = frame.getBoundingClientRect();
    return [(clientX - box.left) / box.width,
            (clientY - box.top) / box.height];
  }

  // --- Zoom and divider ---

  function toggleZoom(x = 0.5, y = 0.5) {
    if (!photo()) return;
    stage.zoom = stage.zoom ? null : {x, y, scale: null};
    layout();
  }

  // Zooms around a point of the window, by default the middle of the stage.
  function zoomBy(factor, clientX, clientY) {
    if (!photo()) return;
    const bounds = root.getBoundingClientRect();
    clientX ??= bounds.left + bounds.width / 2;
    clientY ??= bounds.top + bounds.height / 2;
    const [x, y] = fractions(clientX, clientY);
    const most = Math.max(CLOSEST / devicePixelRatio, stage.close);
    const scale = Math.min(most, stage.scale * factor);
    if (scale <= 1.01 * stage.fit) {
      stage.zoom = null;
    } else {
      const {width, height} = photo();
      const right = clientX - bounds.left - bounds.width / 2;
      const down = clientY - bounds.top - bounds.height / 2;
      stage.zoom = {x: x - right / (width * scale),
                    y: y - down / (height * scale), scale};
    }
    layout();
  }

  function pan(dx, dy) {
    if (!stage.zoom) return;
    const {x, y} = middle();
    stage.zoom.x = x - dx / stage.box.width;
    stage.zoom.y = y - dy / stage.box.height;
    layout();
  }

  function setSplit(split, divider = stage.divider) {
    stage.split = split;
    stage.divider = clamp(divider, 0, 1);
    layout();
  }

  // Moves the divider with a key; returns whether the key is for it.
  function nudge(key) {
    const by = {ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05,
                ArrowUp: 0.05, PageDown: -0.2, PageUp: 0.2,
                Home: -1, End: 1}[key];
    if (by) setSplit(true, stage.divider + by);
    return !!by;
  }

  // --- Pointer ---

  const pointers = new Map();  // positions of the pressed pointers
  let drag = null, pinch = null;

  root.addEventListener("pointerdown", event => {
    if (event.button > 1 || !photo()) return;
    pointers.set(event.pointerId, {x: event.clientX, y: event.clientY});
    if (pointers.size > 1) {
      drag = null;
      pinch = pinching();
    }
    if (event.target.closest("[data-own]")) return;
    root.setPointerCapture(event.pointerId);
    const onSlider = !!event.target.closest("#slider");
    if (!onSlider) event.preventDefault();
    if (pinch) return;
    drag = {x: event.clientX, y: event.clientY, moved: false, onSlider,
            onHandle: !!event.target.closest("#slider i"),
            touch: event.pointerType === "touch", button: event.button,
            zoom: stage.zoom && {...stage.zoom, ...middle()}};
  });

  root.addEventListener("pointermove", event => {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, {x: event.clientX, y: event.clientY});
    if (pinch && pointers.size > 1) {
      const now = pinching();
      zoomBy(now.apart / pinch.apart, now.x, now.y);
      pan(now.x - pinch.x, now.y - pinch.y);
      pinch = now;
    }
    if (!drag) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (Math.hypot(dx, dy) > MOVED) drag.moved = true;
    if (!drag.moved) return;
    if (stage.split && (drag.onSlider || !stage.zoom)) {
      const [left, right] = visible();
      const x = event.clientX - root.getBoundingClientRect().left;
      setSplit(true, (x - left) / (right - left));
    } else if (drag.zoom) {
      stage.zoom = {...drag.zoom, x: drag.zoom.x - dx / stage.box.width,
                    y: drag.zoom.y - dy / stage.box.height};
      layout();
    }
  });

  root.addEventListener("pointerup", event => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    if (!drag) return;
    const {moved, touch, onSlider, onHandle, zoom, button} = drag;
    if (onSlider) slider.blur();
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    drag = null;
    if (!moved && !onHandle && !button && photo()) {
      act.tap(...fractions(event.clientX, event.clientY), event);
    } else if (touch && !zoom && !stage.split && Math.abs(dx) > SWIPE
               && Math.abs(dx) > 2 * Math.abs(dy)) {
      act.swipe(dx < 0 ? 1 : -1);
    }
  });

  root.addEventListener("pointercancel", event => {
    pointers.delete(event.pointerId);
    drag = pinch = null;
  });

  function pinching() {
    const [first, second] = pointers.values();
    return {x: (first.x + second.x) / 2, y: (first.y + second.y) / 2,
            apart: Math.hypot(first.x - second.x, first.y - second.y) || 1};
  }

  root.addEventListener("wheel", event => {
    if (!photo()) return;
    event.preventDefault();
    // Wheels report pixels, lines or pages; trackpads report small pinches.
    const unit = [1, 33, 300][event.deltaMode] * (event.ctrlKey ? 5 : 1);
    const turn = clamp(event.deltaY * unit, -300, 300);
    zoomBy(Math.exp(-0.002 * turn), event.clientX, event.clientY);
  }, {passive: false});

  return stage;
}
