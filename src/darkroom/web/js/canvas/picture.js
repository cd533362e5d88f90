// What is painted on: the image, a sketch over it and a mask, each a canvas of the same size.

import { overlap, union } from "./area.js";
import { bytesOf, overWhite, textOf } from "./colour.js";
import { grown, paintOver, reached } from "./fill.js";
import { History } from "./history.js";
import * as stroke from "./stroke.js";

/** In this colour the mask is shown; white it becomes when it is saved. */
export const MASK_COLOUR = "#ff6a3d";

export class Picture {
  history = new History();
  #stroke = null;

  /** `base`: a canvas or bitmap; `mask`: one of any size, white where to paint, or null. */
  constructor(base, mask = null) {
    this.#begin(copyOf(base, base.width, base.height));
    if (mask) this.mask.getContext("2d").drawImage(maskOf(mask, this.width, this.height), 0, 0);
    this.original = this.base;
  }

  get width() {
    return this.base.width;
  }

  get height() {
    return this.base.height;
  }

  /** Whether the image is no longer the one that came in. */
  get isImageChanged() {
    return this.base !== this.original || !isEmpty(this.sketch);
  }

  get isMasked() {
    return !isEmpty(this.mask);
  }

  // Strokes.

  /** `brush`: {layer: "sketch" | "mask", erase, colour, size, hardness, opacity}. */
  beginStroke(brush, point) {
    const layer = this[brush.layer];
    const { state, dabs } = stroke.beginStroke(point);
    this.#stroke = {
      brush: brush.layer === "mask" ? { ...brush, colour: MASK_COLOUR, hardness: 1, opacity: 1 } : brush,
      layer,
      before: copyOf(layer, this.width, this.height),
      alone: blank(this.width, this.height),
      gap: stroke.spacing(brush.size, brush.hardness),
      touched: null,
      state,
    };
    this.#stamp(dabs);
  }

  continueStroke(point) {
    if (!this.#stroke) return;
    const { state, dabs } = stroke.continueStroke(this.#stroke.state, point, this.#stroke.gap);
    this.#stroke.state = state;
    this.#stamp(dabs);
  }

  endStroke() {
    if (!this.#stroke) return;
    this.#stamp(stroke.endStroke(this.#stroke.state, this.#stroke.gap));
    const { layer, before, touched } = this.#stroke;
    this.#stroke = null;
    if (touched) this.#remember(layer, before, touched);
  }

  /** Takes the stroke back that is being drawn: a second finger came, and means to zoom. */
  dropStroke() {
    if (!this.#stroke) return;
    const { layer, before } = this.#stroke;
    this.#stroke = null;
    replace(layer, before);
  }

  #stamp(dabs) {
    const { brush, alone, layer, before, touched } = this.#stroke;
    const all = { x: 0, y: 0, width: this.width, height: this.height };
    const box = stroke.bounds(dabs, brush.size);
    const dirty = box && overlap(box, all);
    if (!dirty) return;
    const paper = alone.getContext("2d");
    for (const dab of dabs) paintDab(paper, brush, dab);
    // Dab upon dab, the colour drifts by roundings; what counts is how much of it is there.
    paper.globalCompositeOperation = "source-atop";
    paper.fillStyle = brush.colour;
    paper.fillRect(dirty.x, dirty.y, dirty.width, dirty.height);
    paper.globalCompositeOperation = "source-over";
    this.#stroke.touched = union(touched, dirty);

    const target = layer.getContext("2d");
    const { x, y, width, height } = dirty;
    target.clearRect(x, y, width, height);
    target.drawImage(before, x, y, width, height, x, y, width, height);
    target.save();
    target.globalAlpha = brush.opacity;
    target.globalCompositeOperation = brush.erase ? "destination-out" : "source-over";
    target.drawImage(alone, x, y, width, height, x, y, width, height);
    target.restore();
  }

  // Changes of a whole layer.

  /** Fills what is alike around a point; in the mask, what its strokes enclose. */
  fill({ layer, colour, opacity, tolerance }, point) {
    const isMask = layer === "mask";
    const seen = pixels(isMask ? this.mask : this.composed());
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    const found = reached(seen.data, this.width, this.height, x, y, isMask ? 127 : tolerance);
    if (!found) return;
    this.#change(this[layer], (target) => {
      const painted = pixels(this[layer]);
      const bytes = [...bytesOf(isMask ? MASK_COLOUR : colour), isMask ? 255 : 255 * opacity];
      paintOver(painted.data, grown(found, this.width, this.height), bytes);
      target.putImageData(painted, 0, 0);
    });
  }

  clear(layer) {
    if (isEmpty(this[layer])) return;
    this.#change(this[layer], (target) => target.clearRect(0, 0, this.width, this.height));
  }

  invertMask() {
    this.#change(this.mask, (target) => {
      const old = copyOf(this.mask, this.width, this.height);
      target.globalCompositeOperation = "source-over";
      target.fillStyle = MASK_COLOUR;
      target.fillRect(0, 0, this.width, this.height);
      target.globalCompositeOperation = "destination-out";
      target.drawImage(old, 0, 0);
    });
  }

  /** Lays an image over the middle of the sketch, made smaller where it is larger. */
  paste(bitmap) {
    const part = Math.min(1, this.width / bitmap.width, this.height / bitmap.height);
    const [width, height] = [bitmap.width * part, bitmap.height * part];
    this.#change(this.sketch, (target) => {
      target.drawImage(bitmap, (this.width - width) / 2, (this.height - height) / 2, width, height);
    });
  }

  // Changes of size.

  crop({ x, y, width, height }) {
    const cut = (layer) => {
      const part = blank(width, height);
      part.getContext("2d").drawImage(layer, -x, -y);
      return part;
    };
    this.#resize({ base: cut(this.base), sketch: cut(this.sketch), mask: cut(this.mask) });
  }

  /** An empty ground of one colour in place of everything. */
  startAnew(width, height, colour) {
    this.#resize({
      base: plain(width, height, colour),
      sketch: blank(width, height),
      mask: blank(width, height),
    });
  }

  #resize(layers) {
    const { base, sketch, mask } = this;
    const bytes = (base.width * base.height + layers.base.width * layers.base.height) * 4 * 3;
    this.history.push({ before: { base, sketch, mask }, after: layers, bytes });
    Object.assign(this, layers);
  }

  // Undo and redo.

  /** Nothing while a stroke is drawn: it would come back with it. */
  undo() {
    if (this.#stroke) return false;
    const entry = this.history.undo();
    if (entry) this.#restore(entry, entry.before);
    return entry !== null;
  }

  redo() {
    if (this.#stroke) return false;
    const entry = this.history.redo();
    if (entry) this.#restore(entry, entry.after);
    return entry !== null;
  }

  #restore({ layer, x, y }, state) {
    if (layer) layer.getContext("2d").putImageData(state, x, y);
    else Object.assign(this, state);
  }

  #change(layer, draw) {
    const before = copyOf(layer, this.width, this.height);
    const target = layer.getContext("2d");
    target.save();
    draw(target);
    target.restore();
    this.#remember(layer, before, { x: 0, y: 0, width: this.width, height: this.height });
  }

  #remember(layer, before, { x, y, width, height }) {
    const cut = (canvas) => canvas.getContext("2d").getImageData(x, y, width, height);
    const bytes = width * height * 4 * 2;
    this.history.push({ layer, x, y, before: cut(before), after: cut(layer), bytes });
  }

  // What is looked at and saved.

  /** The image with the sketch on it. */
  composed() {
    const canvas = copyOf(this.base, this.width, this.height);
    canvas.getContext("2d").drawImage(this.sketch, 0, 0);
    return canvas;
  }

  /** The colour at a point, as text, or null outside. */
  colourAt(point) {
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return null;
    return textOf(overWhite([...this.composed().getContext("2d").getImageData(x, y, 1, 1).data]));
  }

  imageFile() {
    return fileOf(this.composed());
  }

  /** White where to paint, black elsewhere. */
  maskFile() {
    const canvas = copyOf(this.mask, this.width, this.height);
    const paper = canvas.getContext("2d");
    paper.globalCompositeOperation = "source-in";
    paper.fillStyle = "#ffffff";
    paper.fillRect(0, 0, this.width, this.height);
    paper.globalCompositeOperation = "destination-over";
    paper.fillStyle = "#000000";
    paper.fillRect(0, 0, this.width, this.height);
    return fileOf(canvas);
  }

  #begin(base) {
    this.base = base;
    this.sketch = blank(base.width, base.height);
    this.mask = blank(base.width, base.height);
  }
}

/** A ground of one colour. */
export function plain(width, height, colour) {
  const canvas = blank(width, height);
  const paper = canvas.getContext("2d");
  paper.fillStyle = colour;
  paper.fillRect(0, 0, width, height);
  return canvas;
}

function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  // Pixels are read back after each stroke: they had better stay in memory.
  canvas.getContext("2d", { willReadFrequently: true });
  return canvas;
}

function copyOf(source, width, height) {
  const canvas = blank(width, height);
  canvas.getContext("2d").drawImage(source, 0, 0, width, height);
  return canvas;
}

function replace(canvas, source) {
  const paper = canvas.getContext("2d");
  paper.clearRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(source, 0, 0);
}

function pixels(canvas) {
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
}

function isEmpty(canvas) {
  const { data } = pixels(canvas);
  const words = new Uint32Array(data.buffer);
  return words.every((word) => word === 0);
}

/** Strokes on a transparent ground, or white on black, as strokes in the mask's colour. */
function maskOf(source, width, height) {
  const canvas = copyOf(source, width, height);
  const image = pixels(canvas);
  const { data } = image;
  let isOpaque = true;
  for (let at = 3; at < data.length; at += 4) isOpaque &&= data[at] === 255;
  const [red, green, blue] = bytesOf(MASK_COLOUR);
  for (let at = 0; at < data.length; at += 4) {
    const light = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    data.set([red, green, blue, isOpaque ? light : data[at + 3]], at);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function paintDab(paper, { colour, size, hardness }, { x, y, pressure }) {
  const radius = stroke.diameter(size, pressure) / 2;
  paper.beginPath();
  paper.arc(x, y, radius, 0, 2 * Math.PI);
  if (hardness >= 1) {
    paper.fillStyle = colour;
  } else {
    const gradient = paper.createRadialGradient(x, y, radius * hardness, x, y, radius);
    gradient.addColorStop(0, colour);
    gradient.addColorStop(1, `${colour}00`);
    paper.fillStyle = gradient;
  }
  paper.fill();
}

function fileOf(canvas) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no PNG"))), "image/png");
  });
}
