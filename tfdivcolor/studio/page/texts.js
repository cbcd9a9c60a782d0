// Every text of the page. A translation is this file in another language.

const count = (number, one, many) =>
  `${number} ${Number(number) === 1 ? one : many}`;

export const texts = {
  lang: "en",
  title: name => name ? `${name} – studio` : "tfdivcolor studio",

  // Bar
  photographs: "Photographs",
  previous: "Previous photograph (←)",
  next: "Next photograph (→)",
  undo: "Undo (Ctrl Z)",
  redo: "Redo (Ctrl Shift Z)",
  to_grid: "All results (Esc)",
  to_large: "One result, large (Enter)",
  surround: "Brightness of the surround (B)",
  help: "Keys (?)",
  take: "Take away (T)",
  take_away: "Take away",
  close: "Close",
  cancel: "Cancel",
  size: ({width, height, depth, format, notes}) => [
    `${width} × ${height}`, depth > 8 && `${depth} bits`, format, ...notes]
    .filter(Boolean).join("  ·  "),

  // Opening
  open: "Open photographs",
  open_more: "Open more photographs (A)",
  welcome: "Drop photographs here",
  welcome_how: "Files or folders. Or paste one, or choose files:",
  browse: "Choose files",
  welcome_private: "They stay on this computer.",
  drop: "Drop to open",
  uploads: "Files that are being opened",
  sending: (name, share) => `${name}: ${Math.round(100 * share)} %`,
  reading_file: name => `${name}: being read`,
  too_large: (name, most) =>
    `${name}: larger than ${Math.floor(most / 1e6)} MB`,
  refused: (name, error) => error.startsWith(name) ? error
    : `${name}: ${error}`,
  not_sent: name => `${name}: could not be sent`,
  no_pictures: number => count(number, "file is no picture: skipped",
                               "files are no pictures: skipped"),
  pasted: number => `Pasted ${number}.png`,
  remove: name => `Take ${name} out of the strip; the file stays (Delete)`,
  removed: name => `${name} is out of the strip`,
  unreadable: "cannot be read",
  is_shown: (at, name) => `Photograph ${at}: ${name}`,

  // What is happening
  reading: name => `Reading ${name}…`,
  loading: "Loading the networks…",
  coloring: "Colouring…",
  gone: "The studio's server does not answer; it is tried again every second. "
    + "Nothing is lost.",
  back: "The server is back",
  no_photo: "The server no longer has this photograph; open it again",
  other_tab: "Another tab changed this photograph: its steps are shown here",
  locked: "This page needs its key",
  locked_how: "Open the address that the command “tfdivcolor studio” "
    + "printed, with everything after the question mark.",

  // Results
  grid: "Results",
  large: "One result, large",
  grey: "grey",
  original: "original",
  enlarge: name => `${name}: enlarge`,
  result: (rank, share) => `Result ${rank}` + (share ? `, ${share}` : ""),
  share: share => `Of all colourings that the model holds possible, ${share} `
    + "are nearest to this one",
  keep: "Keep",
  is_kept: "Kept",
  keep_key: "Keep, to take away later (Space)",
  keep_result: name => `Keep ${name}`,
  kept_full: most => `At most ${most} results of a photograph are kept`,
  now_kept: (name, kept) => `${name} ${kept ? "kept" : "no longer kept"}`,

  // Large view
  stage: "Picture. H sets a hint by keyboard; Tab goes to the hints.",
  divider: "Divider between before and after",
  divider_short: "Divider",
  split: "Divider between before and after (S)",
  against: "Compare with",
  against_key: "What the result is compared with (C: next one)",
  glance: "Before",
  glance_key: "The picture before (G: tap or hold; O: the original)",
  fit: "Fit",
  fit_key: "Whole picture (Z)",
  zoom_key: "100 % (Z); wheel or + and − for others",
  hint: "Hint",
  tool: "A click sets a hint; without this, it zooms",

  // Panel
  panel: "Hints and controls",
  tabs: "Controls",
  hints: "Hints",
  adjust: "Adjust",
  results: "Results",
  history: "History",
  no_hints: "Click a point of the large picture to say its colour. "
    + "The rest follows.",
  add_hint: "Set a hint by keyboard (H)",
  hint_named: (number, rgb) => `Hint ${number}, ${rgb}`,
  hint_title: number => `Hint ${number}`,
  new_hint: "New hint",
  done: "Done (Esc)",
  mute_hint: "Mute the hint (M)",
  unmute_hint: "Let the hint count again (M)",
  delete_hint: "Delete the hint (Delete)",
  muted: "muted",
  cursor_help: "Arrows move the cross, Enter sets the hint, Esc leaves",
  possible: "Possible here",
  possible_color: (rgb, share) => `${rgb}, ${share}`,
  possible_tip: share => `${share} of what the model holds possible here`,
  more_colours: "More…",
  disc: "Hue and chroma at this lightness",
  disc_value: (a, b, rgb) =>
    `${rgb}, a ${Math.round(a)}, b ${Math.round(b)}`,
  asked: "Asked",
  here: "Here",
  hex: "Colour as #rrggbb",
  pick: "Pick",
  dropper: "Pick the colour from a picture (I)",
  this_is_grey: "Grey",
  grey_key: "This is grey (N)",
  swatches: "Frequent colours",
  notes: {
    contradicted: other =>
      `Hint ${other} asks for another colour in the same region`,
    missed: () => "The results do not reach this colour here",
    lightness: () => "Too dark or too bright here for so strong a colour",
  },
  full: most => `There can be at most ${most} hints`,

  dials: {
    warmth: ["Warmth", "Warmer or cooler on average, in CIE units, where the "
      + "photograph leaves it open"],
    saturation: ["Saturation", "Factor on the colour of every result"],
    temperature: ["Variety", "How far results go from what is most probable "
      + "(the temperature of the draws)"],
    num_samples: ["Number", "How many results"],
    strength: ["Strength", "How far variations of a result go: 0 not at all, "
      + "1 as far as the model would"],
  },
  slider_of: name => name,
  number_of: name => `${name}, as a number`,
  back_to: value => `Double click: back to ${value}`,
  reset: "Reset",
  reset_tip: "Warmth, saturation and variety as at the start",
  others: "Others",
  others_key: "Draw other results (X)",
  like: "More like this",
  like_key: "Variations of the chosen result (L)",
  varied: "Variations of an earlier result.",
  unlike: "All again",
  kept: "Kept",
  kept_entry: rank => `Kept result ${rank}: show it`,

  // Steps of the history
  steps: {
    start: "Opened",
    hint: at => `Hint ${at}`,
    recolor: at => `Hint ${at} colour`,
    move: at => `Hint ${at} moved`,
    delete: at => `Hint ${at} deleted`,
    mute: at => `Hint ${at} muted`,
    unmute: at => `Hint ${at} again`,
    warmth: value => `Warmth ${value}`,
    saturation: value => `Saturation ${value}`,
    temperature: value => `Variety ${value}`,
    num_samples: value => count(value, "result", "results"),
    strength: value => `Strength ${value}`,
    others: "Others",
    like: rank => `Like ${rank}`,
    unlike: "All again",
    reset: "Reset",
    kept: rank => `Kept ${rank}`,
  },
  step: (number, label) => `Step ${number}: ${label}`,

  // Take away
  what: "What",
  format: "As",
  take_this: rank => `This result (${rank})`,
  take_kept: number => `Kept of this photograph (${number})`,
  take_all: number => `All results (${number})`,
  take_strip: number => `The whole strip: the chosen result of each `
    + `(${number})`,
  formats: {
    png: ["PNG", "lossless; 16 bits where the photograph has them"],
    tiff: ["TIFF", "lossless; 16 bits where the photograph has them"],
    jpeg: ["JPEG", "small"],
    webp: ["WebP", "small"],
    original: ["As the photograph", "its own format"],
    psd: ["PSD", "layers: grey below, colour above, for GIMP, Krita, "
      + "Photoshop; 8 bits"],
    recipe: ["Recipe", "JSON; “tfdivcolor colorize --recipe” makes the "
      + "same bytes again"],
  },
  taking: (done, total) => total > 1
    ? `Writing at full size: ${done} of ${total}` : "Writing at full size…",
  taken: (name, bytes) => `${name} (${megabytes(bytes)}) is in your downloads`,
  left_out: list => `Left out: ${list.join("; ")}`,
  again: "Download again",
  stopped: "Stopped; nothing was written",
  nothing_taken: "Nothing was written",

  // Eyedropper
  pick_title: "Pick a colour",
  pick_how: "Click the colour. By keyboard: arrows, then Enter.",
  pick_canvas: "Picture to pick a colour from",
  pick_open: "Another picture…",
  pick_unreadable: "This browser cannot show that file",
  sources: "Pictures to pick from",

  groups: {
    skin: "Skin", hair: "Hair", fabric: "Fabric", foliage: "Foliage",
    sky: "Sky", wood: "Wood", brick: "Brick", metal: "Metal",
  },
  swatch: {
    grey_hair: "grey", black_brown: "black-brown", olive_drab: "olive drab",
    sky_blue: "sky blue", bottle_green: "bottle green", deep_sky: "deep blue",
    red_brick: "red brick",
  },  // others are called as their ids

  keys: "Keys",
  key_groups: [
    ["Photographs", [
      [["←", "→"], "photograph"],
      [["Home", "End"], "first, last photograph"],
      [["A"], "open files"],
      [["Delete"], "in the strip: take out of it"],
    ]],
    ["Results", [
      [["↑", "↓"], "result"],
      [["0", "…", "9"], "result of that number"],
      [["Enter"], "large, and back"],
      [["Space"], "keep, or keep no longer"],
      [["X"], "others"],
      [["L"], "more like this"],
    ]],
    ["Large", [
      [["S"], "divider before/after"],
      [["Shift", "←", "→"], "move the divider"],
      [["G"], "before: tap to switch, hold to glance"],
      [["O"], "original, likewise"],
      [["C"], "compare with the next one"],
      [["Z"], "100 %, and back"],
      [["+", "−"], "zoom; also the wheel"],
      [["F"], "only the picture"],
    ]],
    ["Hints", [
      [["H"], "set by keyboard: arrows (with Shift: fine), Enter"],
      [["Tab"], "from hint to hint; arrows move it"],
      [["M"], "mute the hint"],
      [["N"], "this is grey"],
      [["I"], "pick the colour from a picture"],
      [["Delete"], "delete the hint"],
    ]],
    ["Work", [
      [["Ctrl", "Z"], "undo"],
      [["Ctrl", "Shift", "Z"], "redo"],
      [["T"], "take away"],
      [["B"], "brightness of the surround"],
      [["Esc"], "back"],
    ]],
  ],
};

function megabytes(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB`
    : `${(bytes / 1e6).toFixed(1)} MB`;
}

// Puts the texts into the page: data-text (content), data-label (name for
// screen readers), data-title (tooltip), data-tip (both).
export function fill(root) {
  document.documentElement.lang = texts.lang;
  const each = (name, act) => {
    for (const element of root.querySelectorAll(`[data-${name}]`)) {
      act(element, texts[element.dataset[name]]);
    }
  };
  each("text", (element, text) => { element.textContent = text; });
  each("label", (element, text) => element.setAttribute("aria-label", text));
  each("title", (element, text) => { element.title = text; });
  each("tip", (element, text) => {
    element.title = text;
    element.setAttribute("aria-label", text);
  });
}
