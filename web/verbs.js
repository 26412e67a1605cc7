// The photograph verbs on pictures {width, height, data}, data as in ImageData: red, green, blue, alpha, from 0 to 255.
//
// They do as cnnzoo.runtime in Python. A network is a function of inputs by name, each [numbers, shape], to its output;
// its numbers are in [0, 1], (1, height, width, channels). Alpha is kept as it is.

const TILE = 256; // side of the kept part of a tile, in pixels, about
const [GRID, SIDE, CURVES] = [16, 128, 8]; // of the enhancer: curves and pixels a side, and curves in a row
const LUMA = [0.299, 0.587, 0.114];

/** The tiles along one side: [start, stop) is kept, [from, to) is shown to the network. */
function windows(length, margin, stride) {
  const whole = (n) => stride * Math.ceil(n / stride);
  const found = [];
  for (let start = 0; start < length; start += whole(TILE)) {
    const stop = Math.min(start + whole(TILE), length);
    found.push({ start, stop, from: Math.max(0, start - whole(margin)), to: Math.min(length, stop + whole(margin)) });
  }
  return found;
}

/** Calls `work` with the rows and columns of each tile, and tells the progress. */
async function eachTile({ width, height }, { margin, stride = 1 }, tell, work) {
  const across = windows(width, margin, stride);
  const tiles = windows(height, margin, stride).flatMap((rows) => across.map((columns) => [rows, columns]));
  for (const [done, [rows, columns]] of tiles.entries()) {
    tell(done / tiles.length);
    await work(rows, columns);
  }
  tell(1);
}

/** A part of a picture for a network. Beyond the picture it is mirrored. */
function part({ width, height, data }, rows, columns, channels = 3) {
  const [h, w] = [rows.to - rows.from, columns.to - columns.from];
  const shown = new Float32Array(h * w * channels);
  const mirrored = (at, length) => (at < length ? at : Math.max(0, 2 * length - 1 - at));
  for (let y = 0; y < h; y++) {
    const line = mirrored(rows.from + y, height) * width;
    for (let x = 0; x < w; x++) {
      const at = 4 * (line + mirrored(columns.from + x, width));
      for (let c = 0; c < channels; c++) shown[channels * (y * w + x) + c] = data[at + c] / 255;
    }
  }
  return [shown, [1, h, w, channels]];
}

/** Puts the kept part of a tile that a network made into a picture; an array of bytes rounds and clips. */
function put(into, made, rows, columns, { scale = 1, channels = 3 } = {}) {
  const w = scale * (columns.to - columns.from);
  const last = Math.min(scale * columns.stop, into.width);
  for (let y = scale * rows.start; y < Math.min(scale * rows.stop, into.height); y++) {
    for (let x = scale * columns.start; x < last; x++) {
      const at = channels * ((y - scale * rows.from) * w + x - scale * columns.from);
      const to = 4 * (y * into.width + x);
      for (let c = 0; c < 3; c++) into.data[to + c] = 255 * made[at + Math.min(c, channels - 1)];
    }
  }
}

function blank(width, height) {
  return { width, height, data: new Uint8ClampedArray(4 * width * height) };
}

function copy({ width, height, data }) {
  return { width, height, data: data.slice() };
}

/** Whether all pixels are gray. */
export function isGray({ data }) {
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

export async function upscale({ network }, about, picture, _, tell) {
  const { scale } = about;
  const made = blank(scale * picture.width, scale * picture.height);
  for (let y = 0; y < made.height; y++) {
    const line = Math.floor(y / scale) * picture.width;
    for (let x = 0; x < made.width; x++) {
      made.data[4 * (y * made.width + x) + 3] = picture.data[4 * (line + Math.floor(x / scale)) + 3];
    }
  }
  await eachTile(picture, about, tell, async (rows, columns) => {
    put(made, await network({ image: part(picture, rows, columns) }), rows, columns, { scale });
  });
  return made;
}

export async function restore({ network }, about, picture, _, tell) {
  const { stride, channels } = about;
  const made = copy(picture);
  const side = (length) => stride * Math.ceil(length / stride); // the network takes multiples of its stride
  const size = { width: side(picture.width), height: side(picture.height) };
  await eachTile(size, about, tell, async (rows, columns) => {
    put(made, await network({ image: part(picture, rows, columns, channels) }), rows, columns, { channels });
  });
  return made;
}

/** Means over 2x2 pixels; at an odd side, over those there are. */
function halved(plane, height, width, channels) {
  const [h, w] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const made = new Float32Array(h * w * channels);
  for (let y = 0; y < h; y++) {
    const lines = [2 * y, Math.min(2 * y + 1, height - 1)];
    for (let x = 0; x < w; x++) {
      const places = [2 * x, Math.min(2 * x + 1, width - 1)];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const line of lines) for (const place of places) sum += plane[channels * (line * width + place) + c];
        made[channels * (y * w + x) + c] = sum / 4;
      }
    }
  }
  return [made, h, w];
}

/** A picture whose pixels in `missing`, one byte each, are filled: smoothly, and corrected by the network. */
export async function inpaint({ network, coarse }, about, picture, { missing }, tell) {
  const { width, height } = picture;
  const { stride } = about;
  const known = Float32Array.from(missing, (gone) => (gone ? 0 : 1));
  const [image] = part(picture, { from: 0, to: height }, { from: 0, to: width });
  let [total, share] = [image.map((value, at) => value * known[Math.floor(at / 3)]), known];
  let [h, w] = [height, width];
  for (let step = 1; step < stride; step *= 2) {
    [total] = halved(total, h, w, 3);
    [share, h, w] = halved(share, h, w, 1);
  }
  const smooth = await coarse({ total: [total, [1, h, w, 3]], share: [share, [1, h, w, 1]] });
  const made = copy(picture);
  await eachTile(picture, about, tell, async (rows, columns) => {
    const mask = cut(known, width, rows, columns, 1);
    if (!mask.includes(0)) return;
    const coarser = ({ from, to }) => ({ from: from / stride, to: Math.ceil(to / stride) });
    const [r, c] = [coarser(rows), coarser(columns)];
    const [high, wide] = [rows.to - rows.from, columns.to - columns.from];
    const filled = await network({
      image: part(picture, rows, columns),
      known: [mask, [1, high, wide, 1]],
      coarse: [cut(smooth, w, r, c, 3), [1, r.to - r.from, c.to - c.from, 3]],
    });
    put(made, filled, rows, columns);
  });
  for (let at = 0; at < missing.length; at++) {
    const pixel = 4 * at;
    if (!missing[at]) for (let c = 0; c < 3; c++) made.data[pixel + c] = picture.data[pixel + c];
  }
  return made;
}

/** A part of a plane of numbers of a width. */
function cut(plane, width, rows, columns, channels) {
  const wide = channels * (columns.to - columns.from);
  const made = new Float32Array((rows.to - rows.from) * wide);
  for (let y = rows.from; y < rows.to; y++) {
    const at = channels * (y * width + columns.from);
    made.set(plane.subarray(at, at + wide), (y - rows.from) * wide);
  }
  return made;
}

/** Linear interpolation of `of` numbers at `size` places: for each, pairs of a place and its weight. */
function taps(size, of) {
  const ratio = of / size;
  return Array.from({ length: size }, (_, at) => {
    const center = (at + 0.5) * ratio - 0.5;
    const reach = Math.max(ratio, 1);
    const pairs = [];
    for (let i = Math.max(0, Math.floor(center - reach)); i <= Math.min(of - 1, Math.ceil(center + reach)); i++) {
      const weight = 1 - Math.abs(center - i) / reach;
      if (weight > 0) pairs.push([i, weight]);
    }
    const sum = pairs.reduce((total, [, weight]) => total + weight, 0);
    return pairs.map(([i, weight]) => [i, weight / sum]);
  });
}

/** A picture corrected by tone curves that differ from place to place; `strength` is from 0 (unchanged) to 2. */
export async function enhance({ network }, about, picture, { strength }, tell) {
  const { width, height, data } = picture;
  const small = new Float32Array(SIDE * SIDE * 3);
  const across = taps(SIDE, width);
  taps(SIDE, height).forEach((lines, y) => {
    for (const [line, share] of lines) {
      across.forEach((places, x) => {
        for (const [place, weight] of places) {
          const at = 4 * (line * width + place);
          for (let c = 0; c < 3; c++) small[3 * (y * SIDE + x) + c] += (share * weight * data[at + c]) / 255;
        }
      });
    }
  });
  const curves = await network({ image: [small, [1, SIDE, SIDE, 3]], strength: [Float32Array.of(strength), [1]] });
  const made = copy(picture);
  const depth = 3 * CURVES;
  const [columns, line] = [taps(width, GRID), new Float64Array(GRID * depth)];
  taps(height, GRID).forEach((rows, y) => {
    line.fill(0);
    for (const [row, weight] of rows) {
      for (let i = 0; i < line.length; i++) line[i] += weight * curves[row * line.length + i];
    }
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        let value = data[at + c] / 255;
        for (let i = c; i < depth; i += 3) {
          let curve = 0;
          for (const [place, weight] of columns[x]) curve += weight * line[place * depth + i];
          value += curve * value * (1 - value);
        }
        made.data[at + c] = 255 * value;
      }
    }
    if (y % 64 === 0) tell(y / height);
  });
  return made;
}

/** A picture painted after the style of a number; with `keepColor`, in its brightness alone. */
export async function stylize({ network }, about, picture, { style, keepColor }, tell) {
  const { width, height, data } = picture;
  const weights = Float32Array.from(about.styles, (_, at) => (at === style ? 1 : 0));
  const image = part(picture, { from: 0, to: height }, { from: 0, to: width });
  tell(0);
  const painted = await network({ image, style: [weights, [1, weights.length]] });
  const made = copy(picture);
  for (let at = 0; at < width * height; at++) {
    const pixel = 4 * at;
    let lighter = 0;
    for (let c = 0; c < 3; c++) lighter += LUMA[c] * (painted[3 * at + c] - data[pixel + c] / 255);
    for (let c = 0; c < 3; c++) {
      made.data[pixel + c] = keepColor ? data[pixel + c] + 255 * lighter : 255 * painted[3 * at + c];
    }
  }
  return made;
}
