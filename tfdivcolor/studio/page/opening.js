// Opens files that the user drops, pastes or chooses. Each file has a line
// with its progress until it is in the strip.

import {Refusal, upload} from "./api.js";
import {$, make} from "./common.js";
import {add, desk, go} from "./desk.js";
import {icon} from "./panel.js";
import {texts} from "./texts.js";

const AT_ONCE = 2;
const NO_PICTURE = /^(audio|video|text|font)\/|^application\/(?!octet)/;

const queue = [];
let running = 0, pasted = 0;

// Opens files and shows the first picture among them.
function take(files) {
  const group = {shown: false};
  for (const file of files) {
    const name = file.name || texts.pasted(++pasted);
    queue.push({file, name, line: line(name), group});
  }
  while (running < AT_ONCE && queue.length) next();
}

async function next() {
  running++;
  while (queue.length) await send(queue.shift());
  running--;
}

async function send({file, name, line, group}) {
  const most = desk.info.limits.upload_bytes;
  if (file.size > most) {
    fail(line, texts.too_large(name, most));
    return;
  }
  try {
    const photo = await upload(file, name, share => tell(
      line, share < 1 ? texts.sending(name, share) : texts.reading_file(name),
      share));
    line.remove();
    add(photo);
    if (!group.shown) go(photo.id);
    group.shown = true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    fail(line, error.status ? texts.refused(name, error.message)
      : texts.not_sent(name));
  }
}

// --- Lines ------------------------------------------------------------------

function line(name) {
  const element = make("li", {}, make("span", {}, texts.sending(name, 0)));
  $("uploads").append(element);
  return element;
}

function tell(element, text, share) {
  element.firstChild.textContent = text;
  element.style.setProperty("--done", `${100 * share}%`);
}

function fail(element, text) {
  tell(element, text, 0);
  element.classList.add("failed");
  element.setAttribute("role", "alert");
  const button = make("button", {type: "button", "aria-label": texts.close},
                      icon("close"));
  button.addEventListener("click", () => element.remove());
  element.append(button);
}

// --- Where files come from --------------------------------------------------

// The files of folders and of their subfolders.
async function filesOf(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.isFile) {
      found.push(await new Promise((done, fail) => entry.file(done, fail)));
    } else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) {  // the browser returns a hundred at a time
        const some = await new Promise(
          (done, fail) => reader.readEntries(done, fail));
        if (!some.length) break;
        found.push(...await filesOf(some));
      }
    }
  }
  return found;
}

async function takeDropped(transfer) {
  const entries = [...transfer.items].filter(item => item.kind === "file")
    .map(item => item.webkitGetAsEntry?.());
  const files = [...transfer.files];
  if (!entries.some(entry => entry?.isDirectory)) {
    take(files);
    return;
  }
  const found = (await filesOf(entries.filter(Boolean))).filter(
    file => !file.name.startsWith("."));
  found.sort((one, other) => one.name.localeCompare(
    other.name, undefined, {numeric: true}));
  const pictures = found.filter(file => !NO_PICTURE.test(file.type));
  if (pictures.length < found.length) {
    fail(line(""), texts.no_pictures(found.length - pictures.length));
  }
  take(pictures);
}

export function startOpening() {
  const hasFiles = event => event.dataTransfer?.types.includes("Files");
  let inside = 0;
  const enter = by => {
    inside = by ? Math.max(0, inside + by) : 0;
    $("drop").hidden = !inside;
  };
  addEventListener("dragenter", event => {
    if (hasFiles(event)) enter(1);
  });
  addEventListener("dragleave", event => {
    if (hasFiles(event)) enter(-1);
  });
  addEventListener("dragover", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", event => {
    enter(0);
    if (!hasFiles(event)) return;
    event.preventDefault();
    takeDropped(event.dataTransfer);
  });
  addEventListener("paste", event => {
    const files = [...event.clipboardData?.files ?? []];
    if (!files.length) return;
    event.preventDefault();
    // Browsers give every pasted picture the same name.
    take(files.map(file => /^image\.\w+$/.test(file.name)
      ? new File([file], texts.pasted(++pasted), {type: file.type}) : file));
  });
  $("browse").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => {
    take([...$("files").files]);
    $("files").value = "";
  });
}
