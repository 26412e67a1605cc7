// Upscales a picture with a model of the zoo, tile by tile, in the browser.
import * as ort from "./ort/ort.wasm.min.mjs";

const TILE = 192; // side of a tile without its margin, in pixels
const MOST = 4e6; // pixels of a picture

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send

const $ = (id) => document.getElementById(id);

/** The tiles along one side: [start, stop) is kept, [from, to) is the input with `margin` pixels of context. */
function windows(length, margin) {
  const found = [];
  for (let start = 0; start < length; start += TILE) {
    const stop = Math.min(start + TILE, length);
    found.push({ start, stop, from: Math.max(0, start - margin), to: Math.min(length, stop + margin) });
  }
  return found;
}

/** Upscales ImageData. */
async function enlarge(session, { scale, margin }, picture, progress) {
  const { width, height, data } = picture;
  const larger = new ImageData(scale * width, scale * height);
  const tiles = windows(height, margin).flatMap((rows) => windows(width, margin).map((columns) => [rows, columns]));
  for (const [done, [rows, columns]] of tiles.entries()) {
    const [h, w] = [rows.to - rows.from, columns.to - columns.from];
    const shown = new Float32Array(h * w * 3);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const at = 4 * ((rows.from + y) * width + columns.from + x);
        for (let c = 0; c < 3; c++) shown[3 * (y * w + x) + c] = data[at + c] / 255;
      }
    }
    const { output } = await session.run({ image: new ort.Tensor("float32", shown, [1, h, w, 3]) });
    for (let y = scale * rows.start; y < scale * rows.stop; y++) {
      for (let x = scale * columns.start; x < scale * columns.stop; x++) {
        const at = 3 * ((y - scale * rows.from) * scale * w + x - scale * columns.from);
        const to = 4 * (y * scale * width + x);
        for (let c = 0; c < 3; c++) larger.data[to + c] = Math.round(255 * output.data[at + c]);
        // Alpha is repeated, not interpolated.
        larger.data[to + 3] = data[4 * (Math.floor(y / scale) * width + Math.floor(x / scale)) + 3];
      }
    }
    progress((done + 1) / tiles.length);
    await new Promise((resolve) => setTimeout(resolve)); // lets the browser draw
  }
  return larger;
}

/** Decodes a picture file to ImageData, with its orientation applied. */
async function pixelsOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name} must be a PNG, JPEG or WebP file. Received: no picture that this browser can read`);
  }
  if (bitmap.width * bitmap.height > MOST) {
    throw new Error(
      `${file.name} must have at most ${MOST / 1e6} megapixels. Received: ${bitmap.width}x${bitmap.height} pixels`,
    );
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function draw(canvas, picture) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function complain(error) {
  $("problem").textContent = error.message;
  $("problem").hidden = false;
}

async function work(session, about, file) {
  $("problem").hidden = $("result").hidden = true;
  $("file").disabled = true;
  $("progress").hidden = false;
  $("progress").value = 0;
  $("say").textContent = `Upscaling ${file.name}…`;
  try {
    const picture = await pixelsOf(file);
    const began = performance.now();
    const larger = await enlarge(session, about, picture, (part) => ($("progress").value = part));
    draw($("before"), picture);
    draw($("after"), larger);
    const blob = await new Promise((resolve) => $("after").toBlob(resolve, "image/png"));
    URL.revokeObjectURL($("download").href);
    $("download").href = URL.createObjectURL(blob);
    $("download").download = `${file.name.replace(/\.[^.]*$/, "")}-x${about.scale}.png`;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    $("took").textContent = `${picture.width}x${picture.height} to ${larger.width}x${larger.height} in ${seconds} s`;
    $("result").hidden = false;
  } catch (error) {
    complain(error);
  } finally {
    $("progress").hidden = true;
    $("file").disabled = false;
    $("say").textContent = "Choose another picture, or drop it here";
  }
}

async function main() {
  const about = await (await fetch("model.json")).json();
  $("name").textContent = about.name;
  $("scale").textContent = about.scale;
  const session = await ort.InferenceSession.create("model.onnx");
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) work(session, about, file);
  });
  const drop = $("drop");
  for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(event, (e) => {
      e.preventDefault();
      drop.classList.toggle("over", over);
    });
  }
  drop.addEventListener("drop", (e) => {
    if (e.dataTransfer.files[0] && !$("file").disabled) work(session, about, e.dataTransfer.files[0]);
  });
  drop.addEventListener("keydown", (e) => {
    if (e.key === "Enter" || e.key === " ") $("file").click();
  });
  $("file").disabled = false;
  $("say").textContent = "Choose a picture, or drop it here";
}

main().catch((error) => {
  $("say").textContent = "The network could not be loaded";
  complain(error);
});
