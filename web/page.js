// The page: a photograph, a task with its settings, and the result beside it.
import { isGray } from "./verbs.js";

const MEGAPIXELS = { upscale: 4, restore: 16, inpaint: 8, enhance: 16, stylize: 2 }; // of a photograph, at most
const LARGEST = Math.max(...Object.values(MEGAPIXELS));
const TASKS = {
  upscale: { name: "Enlarge", verb: "Enlarge", about: "Makes a photograph 2, 3 or 4 times as large." },
  restore: { name: "Denoise", verb: "Denoise", about: "Removes the noise of a photograph, of unknown strength." },
  inpaint: { name: "Repair", verb: "Repair", about: "Fills the parts of a photograph that you draw over." },
  stylize: { name: "Paint", verb: "Paint", about: "Paints a photograph after a painting." },
  enhance: { name: "Light", verb: "Correct", about: "Corrects exposure, contrast and color." },
};
const BRUSH = "#e5484d";

const $ = (id) => document.getElementById(id);
let models, photograph, worker; // photograph: {name, type, pixels}

// -- files -----------------------------------------------------------------------------------------------------------

/** Decodes a picture file to ImageData, with its orientation applied. */
async function pixelsOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name} must be a PNG, JPEG or WebP file. Received: no picture that this browser can read`);
  }
  checkSize(file.name, bitmap, LARGEST);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function checkSize(name, { width, height }, megapixels) {
  if (width * height > megapixels * 1e6) {
    throw new Error(`${name} must have at most ${megapixels} megapixels. Received: ${width}x${height} pixels`);
  }
}

/** A picture reduced to a number of megapixels, if it has more. */
function reduced(pixels, megapixels) {
  const share = Math.sqrt((megapixels * 1e6) / (pixels.width * pixels.height));
  if (share >= 1) return pixels;
  const [width, height] = [pixels.width, pixels.height].map((side) => Math.max(1, Math.floor(share * side)));
  const whole = new OffscreenCanvas(pixels.width, pixels.height);
  whole.getContext("2d").putImageData(pixels, 0, 0);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

async function choose(file) {
  if (!file || worker.busy) return;
  $("problem").hidden = true;
  try {
    const pixels = await pixelsOf(file);
    photograph = { name: file.name, type: file.type, pixels };
    draw($("photo"), pixels);
    [$("drawing").width, $("drawing").height] = [pixels.width, pixels.height];
    $("say").textContent = `${file.name}, ${pixels.width}x${pixels.height} pixels. Choose another, or drop it here`;
    $("result").hidden = true;
    $("stage").hidden = $("start").disabled = false;
  } catch (error) {
    complain(error.message);
  }
}

function draw(canvas, { width, height, data }) {
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = false;
}

// -- the brush -------------------------------------------------------------------------------------------------------

function watchBrush() {
  const canvas = $("drawing");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let last;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(event);
  });
  const stroke = (event) => {
    if (!last || worker.busy) return;
    const next = place(event);
    context.lineWidth = ($("brush").value * canvas.width) / canvas.getBoundingClientRect().width;
    context.lineCap = "round";
    context.strokeStyle = BRUSH;
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...next);
    context.stroke();
    last = next;
  };
  canvas.addEventListener("pointermove", stroke);
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = undefined));
  $("clear").addEventListener("click", () => context.clearRect(0, 0, canvas.width, canvas.height));
}

/** The pixels that are drawn over, one byte each. */
function missing() {
  const { width, height } = $("drawing");
  const { data } = $("drawing").getContext("2d").getImageData(0, 0, width, height);
  const found = new Uint8Array(width * height);
  for (let at = 0; at < found.length; at++) found[at] = data[4 * at + 3] > 0;
  if (!found.includes(1) || !found.includes(0)) {
    throw new Error("Draw over the parts to fill, with the brush; not over the whole photograph.");
  }
  return found;
}

// -- work ------------------------------------------------------------------------------------------------------------

function task() {
  return document.querySelector("input[name=task]:checked").value;
}

/** The model for a task, by the settings and the photograph. */
function modelFor(which) {
  const fit = models.filter((each) => each.task === which);
  if (which === "upscale") {
    const ofScale = fit.filter((each) => each.scale === Number($("scale").value));
    const kind = $("kind").value;
    const isReal = kind === "real" || (kind === "file" && photograph.type === "image/jpeg");
    return ofScale.find((each) => each.real === isReal) ?? ofScale[0];
  }
  const channels = which === "restore" && isGray(photograph.pixels) ? 1 : 3;
  return fit.find((each) => each.channels === channels) ?? fit[0];
}

async function work() {
  const which = task();
  $("problem").hidden = $("result").hidden = true;
  let about, options;
  let picture = photograph.pixels;
  try {
    if (which === "stylize") picture = reduced(picture, MEGAPIXELS.stylize); // as the network sees it whole
    checkSize(photograph.name, picture, MEGAPIXELS[which]);
    about = modelFor(which);
    options = { strength: Number($("strength").value), style: Number($("style").value), keepColor: $("keep").checked };
    if (which === "inpaint") options.missing = missing();
  } catch (error) {
    return complain(error.message);
  }
  busy(true);
  const began = performance.now();
  worker.onmessage = ({ data }) => {
    if ("part" in data) return $("progress").setAttribute("value", data.part);
    busy(false);
    if (data.problem) return complain(data.problem);
    const smaller = picture === photograph.pixels ? "" : "; reduced, as painting takes 2 megapixels";
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    $("took").textContent = `${about.name} by ${data.by}: ${data.made.width}x${data.made.height} pixels in ${seconds} s${smaller}`;
    show(about, picture, data.made);
  };
  worker.postMessage({ about, picture, options });
}

async function show(about, before, made) {
  draw($("after"), made);
  draw($("before"), before);
  const [type, suffix] = photograph.type === "image/jpeg" ? ["image/jpeg", "jpg"] : ["image/png", "png"];
  const blob = await new Promise((resolve) => $("after").toBlob(resolve, type, 0.95));
  if (!blob) return complain(`The result must fit into a canvas of this browser. Received: ${made.width}x${made.height}`);
  URL.revokeObjectURL($("download").href);
  $("download").href = URL.createObjectURL(blob);
  const done = { upscale: `x${about.scale}`, restore: "clean", inpaint: "whole", stylize: "painted", enhance: "light" };
  $("download").download = `${photograph.name.replace(/\.[^.]*$/, "")}-${done[about.task]}.${suffix}`;
  $("result").hidden = false;
  $("result").scrollIntoView({ block: "nearest" });
}

function busy(is) {
  worker.busy = is;
  $("start").disabled = $("file").disabled = is;
  $("progress").hidden = $("cancel").hidden = !is;
  $("progress").removeAttribute("value"); // moving, until there is progress
}

function newWorker() {
  worker?.terminate();
  worker = new Worker("worker.js", { type: "module" });
  worker.onerror = (event) => {
    busy(false);
    complain(event.message ?? "The networks could not be loaded");
  };
}

/** Shows the settings of the chosen task. */
function turn() {
  const which = task();
  $("about").textContent = TASKS[which].about;
  $("start").textContent = TASKS[which].verb;
  for (const part of document.querySelectorAll("[data-task]")) part.hidden = part.dataset.task !== which;
  $("drawing").hidden = which !== "inpaint";
  $("problem").hidden = true;
}

// -- start -----------------------------------------------------------------------------------------------------------

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function watch() {
  $("file").addEventListener("change", () => choose($("file").files[0]));
  for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    $("drop").addEventListener(event, (e) => {
      e.preventDefault();
      $("drop").classList.toggle("over", over);
      if (event === "drop") choose(e.dataTransfer.files[0]);
    });
  }
  $("tasks").addEventListener("change", turn);
  $("start").addEventListener("click", work);
  $("cancel").addEventListener("click", () => {
    newWorker();
    busy(false);
    complain("Cancelled.");
  });
  $("at").addEventListener("input", () => $("compare").style.setProperty("--at", `${$("at").value}%`));
  watchBrush();
}

async function main() {
  navigator.serviceWorker?.register("sw.js").then(async () => {
    await navigator.serviceWorker.ready;
    $("offline").textContent = "It also works offline: the page and its models are kept on this device.";
  }, console.warn);
  models = await (await fetch("models.json")).json();
  const known = Object.keys(TASKS).filter((each) => models.some((model) => model.task === each));
  for (const each of known) {
    const label = document.createElement("label");
    const choice = Object.assign(document.createElement("input"), { type: "radio", name: "task", value: each });
    label.append(choice, TASKS[each].name);
    $("tasks").append(label);
  }
  document.querySelector("input[name=task]").checked = true;
  const scales = [...new Set(models.filter((each) => each.scale).map((each) => each.scale))];
  fill($("scale"), scales.map((scale) => [scale, `${scale} times`]));
  const styles = models.find((each) => each.styles)?.styles ?? [];
  fill($("style"), styles.map((name, at) => [at, name.replaceAll("_", " ")]));
  newWorker();
  watch();
  turn();
  $("file").disabled = false;
  $("say").textContent = "Choose a photograph, or drop it here";
}

main().catch((error) => complain(`The page could not be loaded: ${error.message}`));
