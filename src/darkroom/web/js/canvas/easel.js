// A picture on the screen with a tool in the hand: what the toolbar shows and the pointer moves.

import { NO_SIDES, SIDES, clamp, dragged, extended, rectangle, sideAt } from "./area.js";
import { draw } from "./screen.js";
import { pressureOf } from "./stroke.js";
import { fit, pan, pinch, toImage, zoomAt } from "./view.js";
import { signal } from "../preact.js";

export const MOST_SIZE = 400;
const HANDLE_REACH = 22;

export class Easel {
  tool = signal("brush");
  layer = signal("sketch");
  colour = signal("#231d18");
  size = signal(24);
  hardness = signal(1);
  opacity = signal(1);
  tolerance = signal(24);
  extend = signal(NO_SIDES);
  crop = signal(null);
  /** Counts the changes, so that the toolbar knows when to look again. */
  changes = signal(0);
  scale = signal(1);
  /** What a screen reader is told. */
  said = signal("");

  #view = { scale: 1, x: 0, y: 0 };
  #cursor = null;
  #canvas = null;
  #isDrawingDue = false;
  #isWhole = true;
  #room = { width: 0, height: 0 };
  #lastDab = null;
  #drag = null;

  /** `colours`: {accent, surface, line} of the page's theme. */
  constructor(picture, colours) {
    this.picture = picture;
    this.colours = colours;
    this.size.value = clamp(Math.round(Math.min(picture.width, picture.height) / 12), 4, 80);
  }

  /** Begins to show the picture on a canvas element; returns what ends it. */
  show(canvas) {
    this.#canvas = canvas;
    const watch = new ResizeObserver(() => this.#resized());
    watch.observe(canvas);
    return () => {
      watch.disconnect();
      this.#canvas = null;
    };
  }

  #resized() {
    const { clientWidth, clientHeight } = this.#canvas;
    if (clientWidth === 0) return; // a dialog has no size until it is open
    const ratio = window.devicePixelRatio;
    this.#canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.#canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    // What was whole stays whole; else the middle stays where it is.
    const { width, height } = this.#room;
    if (this.#isWhole) this.fit();
    else this.#look(pan(this.#view, (clientWidth - width) / 2, (clientHeight - height) / 2));
    this.#room = this.#screen;
  }

  redraw() {
    if (this.#isDrawingDue) return;
    this.#isDrawingDue = true;
    requestAnimationFrame(() => {
      this.#isDrawingDue = false;
      if (this.#canvas) this.#draw();
    });
  }

  #draw() {
    const isPainting = ["brush", "eraser"].includes(this.tool.value);
    const cursor = this.#cursor && { ...this.#cursor, size: isPainting ? this.size.value : 0 };
    const size = { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
    draw(this.#canvas.getContext("2d"), size, this.#canvas.width / Math.max(1, size.width), this.picture, {
      view: this.#view,
      extend: this.extend.value,
      crop: this.tool.value === "crop" ? this.crop.value : null,
      cursor,
      tool: this.tool.value,
      colours: this.colours,
    });
  }

  // Looking.

  get #screen() {
    return { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
  }

  #look(view) {
    this.#view = view;
    this.#isWhole = false;
    this.scale.value = view.scale;
    this.redraw();
  }

  fit() {
    if (!this.#canvas) return;
    this.#look(fit(extended(this.picture, this.extend.value), this.#screen));
    this.#isWhole = true;
  }

  zoom(factor, at = null) {
    const { width, height } = this.#screen;
    this.#look(zoomAt(this.#view, at ?? { x: width / 2, y: height / 2 }, factor));
  }

  pan(dx, dy) {
    this.#look(pan(this.#view, dx, dy));
  }

  pinch(before, after) {
    this.#look(pinch(this.#view, before, after));
  }

  // The pointer: `point` in pixels of the screen, from the element's corner.

  hover(point) {
    this.#cursor = point && toImage(this.#view, point);
    this.redraw();
  }

  /** Puts the tool down; false where it has nothing to drag. */
  down(point, event) {
    const at = this.#pointOf(point, event);
    this.#cursor = at;
    if (this.tool.value === "brush" || this.tool.value === "eraser") {
      if (event.altKey) return this.pick(at);
      const isStraight = event.shiftKey && this.#lastDab;
      this.picture.beginStroke(this.#brush(), isStraight ? this.#lastDab : at);
      if (isStraight) this.picture.continueStroke(at);
      this.#drag = { draws: true };
    } else if (this.tool.value === "crop") {
      this.#drag = { from: at };
    } else if (this.tool.value === "extend") {
      const side = sideAt(this.extend.value, this.picture, at, HANDLE_REACH / this.#view.scale);
      this.#drag = side < 0 ? null : { side };
    } else {
      this.act(at);
    }
    this.redraw();
    return this.#drag !== null;
  }

  move(point, event) {
    const at = this.#pointOf(point, event);
    this.#cursor = at;
    if (this.#drag?.draws) this.picture.continueStroke(at);
    else if (this.#drag?.from) this.crop.value = rectangle(this.#drag.from, at, this.picture);
    else if (this.#drag) this.extend.value = dragged(this.extend.value, this.#drag.side, at, this.picture);
    this.redraw();
  }

  up() {
    if (this.#drag?.draws) {
      this.picture.endStroke();
      this.#lastDab = this.#cursor;
      this.#changed();
    } else if (this.#drag?.side !== undefined && this.#drag) {
      this.#tellExtension();
    }
    this.#drag = null;
  }

  /** A second finger: what the first had begun was not meant. */
  drop() {
    this.picture.dropStroke();
    this.#drag = null;
    this.redraw();
  }

  #pointOf(point, event) {
    return { ...toImage(this.#view, point), pressure: pressureOf(event) };
  }

  #brush() {
    return {
      layer: this.layer.value,
      erase: this.tool.value === "eraser",
      colour: this.colour.value,
      size: this.size.value,
      hardness: this.hardness.value,
      opacity: this.opacity.value,
    };
  }

  /** The tool's work at one point of the image: a dab, a fill, a colour. */
  act(at) {
    if (this.tool.value === "fill") {
      const { layer, colour, opacity, tolerance } = this;
      this.picture.fill({ layer: layer.value, colour: colour.value, opacity: opacity.value, tolerance: tolerance.value }, at);
      this.#changed();
    } else if (this.tool.value === "picker") {
      this.pick(at);
      this.tool.value = "brush";
    } else if (this.tool.value === "brush" || this.tool.value === "eraser") {
      this.picture.beginStroke(this.#brush(), at);
      this.picture.endStroke();
      this.#changed();
    }
  }

  pick(at) {
    const colour = this.picture.colourAt(at);
    if (colour) {
      this.colour.value = colour;
      this.said.value = `Colour ${colour}`;
    }
    return false;
  }

  /** Without a pointer: the brush moves by arrow keys and acts with Enter. */
  step(dx, dy) {
    const { width, height } = this.picture;
    const from = this.#cursor ?? { x: width / 2, y: height / 2 };
    const stride = Math.max(1, this.size.value / 2);
    this.#cursor = {
      x: clamp(from.x + dx * stride, 0, width - 1),
      y: clamp(from.y + dy * stride, 0, height - 1),
      pressure: 1,
    };
    this.said.value = `Brush at ${Math.round(this.#cursor.x)}, ${Math.round(this.#cursor.y)}`;
    this.redraw();
  }

  actAtCursor() {
    const { width, height } = this.picture;
    this.act(this.#cursor ?? { x: width / 2, y: height / 2, pressure: 1 });
  }

  // Changes that buttons make.

  undo() {
    if (this.picture.undo()) this.#changed("Undone");
  }

  redo() {
    if (this.picture.redo()) this.#changed("Done again");
  }

  clear() {
    this.picture.clear(this.layer.value);
    this.#changed(`${this.layer.value === "mask" ? "Mask" : "Sketch"} cleared`);
  }

  invertMask() {
    this.picture.invertMask();
    this.#changed("Mask inverted");
  }

  applyCrop() {
    if (!this.crop.value) return;
    const { width, height } = this.crop.value;
    this.picture.crop(this.crop.value);
    this.crop.value = null;
    this.tool.value = "brush";
    this.#changed(`Cropped to ${width} × ${height}`);
    this.fit();
  }

  startAnew(width, height, colour) {
    this.picture.startAnew(width, height, colour);
    this.extend.value = NO_SIDES;
    this.crop.value = null;
    this.#changed(`An empty canvas of ${width} × ${height}`);
    this.fit();
  }

  paste(bitmap) {
    this.picture.paste(bitmap);
    this.layer.value = "sketch";
    this.#changed("Pasted");
  }

  setExtend(sides) {
    this.extend.value = sides;
    this.#tellExtension();
    this.fit();
  }

  #tellExtension() {
    const parts = this.extend.value.map((pixels, side) => `${SIDES[side]} ${pixels}`);
    this.said.value = `Extended: ${parts.join(", ")}`;
  }

  #changed(said = "") {
    this.changes.value += 1;
    if (said) this.said.value = said;
    this.redraw();
  }
}
