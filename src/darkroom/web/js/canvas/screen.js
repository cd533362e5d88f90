// Draws a picture as one sees it while painting: zoomed, with mask, crop, extension and brush.

import { NO_SIDES, extended } from "./area.js";
import { toScreen } from "./view.js";

const SQUARE = 8;
const HANDLE = 7;

/**
 * `look`: {view, extend, crop, cursor: {x, y, size} | null, tool, colours: {accent, surface, line}}.
 * Sizes of the element in CSS pixels; `ratio`: pixels of the screen for each.
 */
export function draw(paper, size, ratio, picture, look) {
  const { view, extend, colours } = look;
  paper.setTransform(ratio, 0, 0, ratio, 0, 0);
  paper.clearRect(0, 0, size.width, size.height);
  const whole = onScreen(view, extended(picture, extend ?? NO_SIDES));
  const image = onScreen(view, { x: 0, y: 0, width: picture.width, height: picture.height });
  drawGround(paper, whole, colours);
  paper.imageSmoothingEnabled = view.scale < 3;
  paper.imageSmoothingQuality = "high";
  for (const layer of [picture.base, picture.sketch]) drawLayer(paper, layer, image);
  paper.globalAlpha = 0.7;
  drawLayer(paper, picture.mask, image);
  paper.globalAlpha = 1;
  if (extend && look.tool === "extend") drawHandles(paper, whole, image, colours);
  if (look.crop) drawCrop(paper, onScreen(view, look.crop), image);
  if (look.cursor) drawCursor(paper, look.cursor, view);
}

function onScreen(view, { x, y, width, height }) {
  const corner = toScreen(view, { x, y });
  return { x: corner.x, y: corner.y, width: width * view.scale, height: height * view.scale };
}

function drawLayer(paper, layer, { x, y, width, height }) {
  paper.drawImage(layer, x, y, width, height);
}

/** Squares show through where nothing is painted yet. */
function drawGround(paper, { x, y, width, height }, colours) {
  paper.save();
  paper.beginPath();
  paper.rect(x, y, width, height);
  paper.clip();
  paper.fillStyle = colours.surface;
  paper.fillRect(x, y, width, height);
  paper.fillStyle = colours.line;
  const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
  const [right, bottom] = [Math.min(x + width, paper.canvas.width), Math.min(y + height, paper.canvas.height)];
  for (let row = Math.floor((top - y) / SQUARE); y + row * SQUARE < bottom; row += 1) {
    for (let column = Math.floor((left - x) / SQUARE); x + column * SQUARE < right; column += 1) {
      if ((row + column) % 2 === 0) {
        paper.fillRect(x + column * SQUARE, y + row * SQUARE, SQUARE, SQUARE);
      }
    }
  }
  paper.restore();
}

function drawHandles(paper, whole, image, colours) {
  paper.save();
  paper.strokeStyle = colours.accent;
  paper.lineWidth = 1.5;
  paper.strokeRect(whole.x, whole.y, whole.width, whole.height);
  paper.setLineDash([4, 4]);
  paper.strokeRect(image.x, image.y, image.width, image.height);
  paper.setLineDash([]);
  paper.fillStyle = colours.accent;
  const middles = [
    [whole.x, whole.y + whole.height / 2],
    [whole.x + whole.width / 2, whole.y],
    [whole.x + whole.width, whole.y + whole.height / 2],
    [whole.x + whole.width / 2, whole.y + whole.height],
  ];
  for (const [x, y] of middles) {
    paper.beginPath();
    paper.arc(x, y, HANDLE, 0, 2 * Math.PI);
    paper.fill();
  }
  paper.restore();
}

function drawCrop(paper, crop, image) {
  paper.save();
  paper.fillStyle = "rgb(0 0 0 / 55%)";
  paper.beginPath();
  paper.rect(image.x, image.y, image.width, image.height);
  paper.rect(crop.x, crop.y, crop.width, crop.height);
  paper.fill("evenodd");
  paper.strokeStyle = "#ffffff";
  paper.strokeRect(crop.x + 0.5, crop.y + 0.5, crop.width, crop.height);
  paper.restore();
}

/** The brush's outline, dark and light, so that it is seen on everything. */
function drawCursor(paper, { x, y, size }, view) {
  const at = toScreen(view, { x, y });
  const radius = Math.max(2, (size * view.scale) / 2);
  for (const [colour, more] of [["rgb(0 0 0 / 70%)", 1], ["#ffffff", 0]]) {
    paper.strokeStyle = colour;
    paper.lineWidth = 1;
    paper.beginPath();
    paper.arc(at.x, at.y, radius + more, 0, 2 * Math.PI);
    paper.stroke();
  }
}
