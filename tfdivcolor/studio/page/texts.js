// Every text of the page. To translate the page, translate this file.

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
  to_grid: "Show all results (Esc)",
  to_large: "Enlarge one result (Enter)",
  surround: "Background brightness (B)",
  help: "Keyboard shortcuts (?)",
  take: "Download results (T)",
  take_away: "Download",
  close: "Close",
  cancel: "Cancel",
  size: ({width, height, depth, format, notes}) => [
    `${width} × ${height}`, depth > 8 && `${depth} bits`, format, ...notes]
    .filter(Boolean).join("  ·  "),

  // Opening
  open: "Open photographs",
  open_more: "Open more photographs (A)",
  welcome: "Drop photographs here",
  welcome_how: "Drop files or folders, paste a picture, or choose files.",
  browse: "Choose files",
  welcome_private: "Only this studio receives them: no other site does.",
  drop: "Drop to open",
  uploads: "Files in progress",
  sending: (name, share) => `Opening ${name}: ${Math.round(100 * share)} %`,
  reading_file: name => `Reading ${name}…`,
  too_large: (name, most) =>
    `${name} is too large: the limit is ${Math.floor(most / 1e6)} MB`,
  refused: (name, error) => error.startsWith(name) ? error
    : `${name}: ${error}`,
  not_sent: name => `${name} could not be sent to the studio. Open the file `
    + "again.",
  no_pictures: number => count(number, "file is not a picture and was skipped",
                               "files are not pictures and were skipped"),
  pasted: number => `Pasted ${number}.png`,
  remove: name => `Remove ${name} from the strip; your file stays (Delete)`,
  removed: name => `Removed ${name} from the strip`,
  is_shown: (at, name) => `Photograph ${at}: ${name}`,

  // Progress and errors
  reading: name => `Reading ${name}…`,
  loading: "Loading the networks…",
  coloring: "Colouring…",
  gone: "The studio does not answer. Keep this page open: it tries again "
    + "every second.",
  back: "The studio answers again",
  no_photo: "This photograph is no longer in the strip. Open the file again.",
  other_tab: "Another tab changed this photograph. This tab now shows the "
    + "same steps.",
  locked: "This address is incomplete",
  locked_how: "Open the full address that “tfdivcolor studio” printed, "
    + "including the part after the question mark.",

  // Results
  grid: "Results",
  large: "Enlarged result",
  grey: "grey",
  original: "original",
  enlarge: name => `${name}: enlarge`,
  result: (rank, share) => `Result ${rank}` + (share ? `, ${share}` : ""),
  share: share => `${share} of the model's colourings are nearer to this `
    + "result than to the others",
  keep: "Keep",
  is_kept: "Kept",
  keep_key: "Keep for later (Space)",
  keep_result: name => `Keep ${name}`,
  kept_full: most => `You can keep at most ${most} results of a photograph`,
  now_kept: (name, kept) => `${name} ${kept ? "kept" : "no longer kept"}`,

  // Large view
  stage: "Picture. Press H to set a hint, or Tab to go to the hints.",
  divider: "Divider between before and after",
  divider_short: "Divider",
  split: "Show before and after, with a divider between them (S)",
  against: "Compare with",
  against_key: "Choose the picture to compare with (C: next)",
  glance: "Before",
  glance_key: "Show the picture before (tap or hold G; original: O)",
  fit: "Fit",
  fit_key: "Show the whole picture (Z)",
  zoom_key: "Zoom in or out (Z; also the wheel, + and −)",
  hint: "Hint",
  tool: "On: a click sets a hint. Off: a click zooms.",

  // Panel
  panel: "Hints and controls",
  tabs: "Controls",
  hints: "Hints",
  adjust: "Adjust",
  results: "Results",
  history: "History",
  no_hints: "Click a point in the large picture and choose its colour. "
    + "The rest of the picture follows.",
  add_hint: "Set a hint with the keyboard (H)",
  hint_named: (number, rgb) => `Hint ${number}, ${rgb}`,
  hint_title: number => `Hint ${number}`,
  new_hint: "New hint",
  done: "Done (Esc)",
  mute_hint: "Mute this hint (M)",
  unmute_hint: "Unmute this hint (M)",
  delete_hint: "Delete this hint (Delete)",
  muted: "muted",
  cursor_help: "Arrow keys move the cross, Enter sets the hint, Esc cancels",
  possible: "Possible colours",
  possible_color: (rgb, share) => `${rgb}, ${share}`,
  more_colours: "More…",
  disc: "Hue and chroma at this lightness",
  disc_value: (a, b, rgb) =>
    `${rgb}, a ${Math.round(a)}, b ${Math.round(b)}`,
  asked: "Chosen",
  here: "Here",
  hex: "Colour as #rrggbb",
  pick: "Pick",
  dropper: "Pick a colour from a picture (I)",
  this_is_grey: "Grey",
  grey_key: "Make this point grey (N)",
  swatches: "Common colours",
  notes: {
    contradicted: other =>
      `Hint ${other} asks for another colour in the same region`,
    missed: () => "The results do not reach this colour here",
    lightness: () => "This point is too dark or too bright for such a strong "
      + "colour",
  },
  full: most => `A photograph can have at most ${most} hints`,

  dials: {
    warmth: ["Warmth", "Makes the picture warmer or cooler on average, in "
      + "CIE units"],
    saturation: ["Saturation", "Strength of the colours: 0 is grey, 1 leaves "
      + "them unchanged"],
    temperature: ["Variety", "How much results differ from the most probable "
      + "one (the temperature of the draws)"],
    num_samples: ["Number", "Number of results"],
    strength: ["Strength", "How much variations differ from their result: "
      + "0 not at all, 1 as much as the model's own draws"],
  },
  slider_of: name => name,
  number_of: name => `${name}, as a number`,
  back_to: value => `Double-click to go back to ${value}`,
  reset: "Reset",
  reset_tip: "Reset warmth, saturation and variety",
  others: "New results",
  others_key: "Draw new results (X)",
  like: "More like this",
  like_key: "Draw variations of the chosen result (L)",
  varied: "These are variations of one result.",
  unlike: "Show all again",
  kept: "Kept",
  kept_entry: rank => `Show kept result ${rank}`,

  // Steps of the history
  steps: {
    start: "Opened",
    hint: at => `Hint ${at}`,
    recolor: at => `Hint ${at} colour`,
    move: at => `Hint ${at} moved`,
    delete: at => `Hint ${at} deleted`,
    mute: at => `Hint ${at} muted`,
    unmute: at => `Hint ${at} unmuted`,
    warmth: value => `Warmth ${value}`,
    saturation: value => `Saturation ${value}`,
    temperature: value => `Variety ${value}`,
    num_samples: value => count(value, "result", "results"),
    strength: value => `Strength ${value}`,
    others: "New results",
    like: rank => `Like ${rank}`,
    unlike: "All results",
    reset: "Reset",
    kept: rank => `Kept ${rank}`,
  },
  step: (number, label) => `Step ${number}: ${label}`,

  // Download
  what: "Results",
  format: "Format",
  take_this: rank => `Result ${rank}`,
  take_kept: number => `Kept results of this photograph (${number})`,
  take_all: number => `All results of this photograph (${number})`,
  take_strip: number => `The chosen result of every photograph (${number})`,
  formats: {
    png: ["PNG", "lossless; 16 bits if the photograph has 16"],
    tiff: ["TIFF", "lossless; 16 bits if the photograph has 16"],
    jpeg: ["JPEG", "small files"],
    webp: ["WebP", "small files"],
    original: ["Same format", "as the photograph"],
    psd: ["PSD", "two layers, grey and colour, for GIMP, Krita and "
      + "Photoshop; 8 bits"],
    recipe: ["Recipe", "JSON; “tfdivcolor colorize --recipe” makes the "
      + "same files from it"],
  },
  taking: (done, total) => total > 1
    ? `Making full-size files: ${done} of ${total}`
    : "Making the full-size file…",
  taken: (name, bytes) => `Downloaded ${name} (${megabytes(bytes)})`,
  left_out: list => `Skipped: ${list.join("; ")}`,
  again: "Download again",
  stopped: "Cancelled. Nothing was downloaded.",
  nothing_taken: "Nothing was downloaded.",

  // Eyedropper
  pick_title: "Pick a colour",
  pick_how: "Click a colour, or move with the arrow keys and press Enter.",
  pick_canvas: "Picture to pick a colour from",
  pick_open: "Open another picture…",
  pick_unreadable: "This browser cannot show that file. Choose another one.",
  sources: "Pictures to pick a colour from",

  groups: {
    skin: "Skin", hair: "Hair", fabric: "Fabric", foliage: "Foliage",
    sky: "Sky", wood: "Wood", brick: "Brick", metal: "Metal",
  },
  swatch: {
    grey_hair: "grey", black_brown: "black-brown", olive_drab: "olive drab",
    sky_blue: "sky blue", bottle_green: "bottle green", deep_sky: "deep blue",
    red_brick: "red brick",
  },  // the page shows the ids of other swatches

  keys: "Keyboard shortcuts",
  key_groups: [
    ["Photographs", [
      [["←", "→"], "previous, next photograph"],
      [["Home", "End"], "first, last photograph"],
      [["A"], "open files"],
      [["Delete"], "in the strip: remove the photograph"],
    ]],
    ["Results", [
      [["↑", "↓"], "previous, next result"],
      [["0", "…", "9"], "result with this number"],
      [["Enter"], "enlarge, and back"],
      [["Space"], "keep, or stop keeping"],
      [["X"], "new results"],
      [["L"], "more like this"],
    ]],
    ["Large view", [
      [["S"], "divider between before and after"],
      [["Shift", "←", "→"], "move the divider"],
      [["G"], "picture before: tap to switch, hold to peek"],
      [["O"], "original: tap or hold"],
      [["C"], "compare with the next picture"],
      [["Z"], "zoom in, and back"],
      [["+", "−"], "zoom; also the wheel"],
      [["F"], "show only the picture"],
    ]],
    ["Hints", [
      [["H"], "set a hint: arrows (Shift: small steps), then Enter"],
      [["Tab"], "next hint; arrows move it"],
      [["M"], "mute the hint"],
      [["N"], "make the point grey"],
      [["I"], "pick a colour from a picture"],
      [["Delete"], "delete the hint"],
    ]],
    ["Work", [
      [["Ctrl", "Z"], "undo"],
      [["Ctrl", "Shift", "Z"], "redo"],
      [["T"], "download results"],
      [["B"], "background brightness"],
      [["Esc"], "back"],
    ]],
  ],
};

function megabytes(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB`
    : `${(bytes / 1e6).toFixed(1)} MB`;
}

// Fills in the texts of the page: data-text (content), data-label (name for
// screen readers), data-title (tooltip) and data-tip (name and tooltip).
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
