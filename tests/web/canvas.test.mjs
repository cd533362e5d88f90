// What the canvas computes, without a page: node --test tests/web/*.test.mjs
import assert from "node:assert/strict";
import test from "node:test";

import * as area from "../../src/darkroom/web/js/canvas/area.js";
import { bytesOf, overWhite, textOf } from "../../src/darkroom/web/js/canvas/colour.js";
import { grown, paintOver, reached } from "../../src/darkroom/web/js/canvas/fill.js";
import { History } from "../../src/darkroom/web/js/canvas/history.js";
import * as stroke from "../../src/darkroom/web/js/canvas/stroke.js";
import * as view from "../../src/darkroom/web/js/canvas/view.js";

const at = (x, y, pressure = 1) => ({ x, y, pressure });
const near = (a, b, most = 1e-9) => assert.ok(Math.abs(a - b) <= most, `${a} is not ${b}`);

function drawn(points, gap) {
  let { state, dabs } = stroke.beginStroke(points[0]);
  const all = [...dabs];
  for (const point of points.slice(1)) {
    ({ state, dabs } = stroke.continueStroke(state, point, gap));
    all.push(...dabs);
  }
  return [...all, ...stroke.endStroke(state, gap)];
}

test("dabs are evenly spaced, however often the pointer reports", () => {
  for (const count of [2, 7, 101]) {
    const points = Array.from({ length: count }, (_, k) => at((100 * k) / (count - 1), 0));
    const dabs = drawn(points, 5);
    assert.equal(dabs.length, 21);
    dabs.forEach((dab, k) => near(dab.x, 5 * k, 1e-6));
  }
});

test("a stroke ends within one gap of where the pointer was lifted", () => {
  const dabs = drawn([at(0, 0), at(30, 40), at(90, 10)], 4);
  const last = dabs.at(-1);
  assert.ok(Math.hypot(last.x - 90, last.y - 10) < 4);
});

test("pressure goes over from one report to the next", () => {
  const dabs = drawn([at(0, 0, 0), at(100, 0, 1)], 10);
  dabs.forEach((dab) => near(dab.pressure, dab.x / 100, 1e-6));
  assert.equal(stroke.diameter(40, 0), 10);
  assert.equal(stroke.diameter(40, 1), 40);
});

test("only a pen's pressure counts", () => {
  assert.equal(stroke.pressureOf({ pointerType: "mouse", pressure: 0.5 }), 1);
  assert.equal(stroke.pressureOf({ pointerType: "touch", pressure: 0 }), 1);
  assert.equal(stroke.pressureOf({ pointerType: "pen", pressure: 0.25 }), 0.25);
  assert.equal(stroke.pressureOf({ pointerType: "pen", pressure: 0 }), 1);
});

test("a click is one dab; bounds hold all of a stroke", () => {
  assert.equal(drawn([at(3, 4)], 2).length, 1);
  assert.equal(stroke.bounds([], 10), null);
  assert.deepEqual(stroke.bounds([at(10, 20), at(30, 20)], 8), { x: 5, y: 15, width: 30, height: 10 });
});

function picture(rows) {
  const colours = { ".": [0, 0, 0, 0], "#": [255, 0, 0, 255], "+": [250, 0, 0, 255] };
  const data = Uint8ClampedArray.from(rows.flatMap((row) => [...row].flatMap((c) => colours[c])));
  return [data, rows[0].length, rows.length];
}
const shown = (found, width) =>
  [...found].reduce((rows, bit, k) => {
    if (k % width === 0) rows.push("");
    rows[rows.length - 1] += bit ? "x" : ".";
    return rows;
  }, []);

test("a fill stops at lines, goes around corners and not through diagonals", () => {
  const rows = [".....#", ".###.#", ".#.#.#", ".#.##.", ".#...#", "......"];
  const [data, width, height] = picture(rows);
  const found = reached(data, width, height, 0, 0);
  assert.deepEqual(shown(found, width), ["xxxxx.", "x...x.", "x.x.x.", "x.x...", "x.xxx.", "xxxxxx"]);
});

test("a fill agrees with the plain definition on random pictures", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 60; round += 1) {
    const [width, height] = [1 + Math.floor(random() * 12), 1 + Math.floor(random() * 12)];
    const rows = Array.from({ length: height }, () =>
      Array.from({ length: width }, () => (random() < 0.55 ? "." : "#")).join(""),
    );
    const [data] = picture(rows);
    const [x, y] = [Math.floor(random() * width), Math.floor(random() * height)];
    const plain = new Set([y * width + x]);
    for (const pixel of plain) {
      const [px, py] = [pixel % width, Math.floor(pixel / width)];
      for (const [nx, ny] of [[px - 1, py], [px + 1, py], [px, py - 1], [px, py + 1]]) {
        const inside = nx >= 0 && ny >= 0 && nx < width && ny < height;
        if (inside && rows[ny][nx] === rows[y][x]) plain.add(ny * width + nx);
      }
    }
    const found = reached(data, width, height, x, y);
    assert.deepEqual(
      [...found].flatMap((bit, k) => (bit ? [k] : [])),
      [...plain].sort((a, b) => a - b),
    );
  }
});

test("tolerance takes colours that are nearly alike", () => {
  const [data, width, height] = picture(["##+#."]);
  assert.deepEqual(shown(reached(data, width, height, 0, 0, 4), width), ["xx..."]);
  assert.deepEqual(shown(reached(data, width, height, 0, 0, 5), width), ["xxxx."]);
  assert.equal(reached(data, width, height, 5, 0), null);
});

test("four million pixels are filled in a moment", () => {
  const side = 2048;
  const found = reached(new Uint8ClampedArray(side * side * 4), side, side, 1000, 1000);
  assert.ok(found.every((bit) => bit === 1));
});

test("what is filled grows by a pixel, not around the edge of the image", () => {
  assert.deepEqual(shown(grown(Uint8Array.from([0, 0, 1, 0, 0, 0, 0, 0, 0]), 3, 3), 3), [".xx", "..x", "..."]);
});

test("a colour is painted over what is there", () => {
  const data = Uint8ClampedArray.from([0, 0, 0, 255, 0, 0, 0, 0, 9, 9, 9, 9]);
  paintOver(data, Uint8Array.from([1, 1, 0]), [200, 100, 0, 128]);
  assert.deepEqual([...data], [100, 50, 0, 255, 200, 100, 0, 128, 9, 9, 9, 9]);
});

test("undo and redo go back and forth; a new change ends redo", () => {
  const history = new History();
  ["a", "b", "c"].forEach((name) => history.push({ name, bytes: 1 }));
  assert.equal(history.undo().name, "c");
  assert.equal(history.undo().name, "b");
  assert.equal(history.redo().name, "b");
  history.push({ name: "d", bytes: 1 });
  assert.equal(history.canRedo, false);
  assert.deepEqual([1, 2, 3].map(() => history.undo().name), ["d", "b", "a"]);
  assert.equal(history.undo(), null);
});

test("history stays within its memory and keeps at least the newest change", () => {
  const history = new History(100);
  for (let k = 0; k < 1000; k += 1) {
    history.push({ k, bytes: 30 });
    assert.ok(history.bytes <= 100);
  }
  assert.deepEqual([history.undo().k, history.undo().k, history.undo().k, history.undo()], [999, 998, 997, null]);
  history.push({ k: "huge", bytes: 5000 });
  assert.equal(history.undo().k, "huge");
});

test("an image fits the screen, and points go there and back", () => {
  const fitted = view.fit({ x: -64, y: 0, width: 128, height: 64 }, { width: 548, height: 900 });
  near(fitted.scale, 500 / 128);
  near(view.toScreen(fitted, { x: -64, y: 0 }).x, 24);
  const back = view.toImage(fitted, view.toScreen(fitted, { x: 12.5, y: 3 }));
  near(back.x, 12.5);
  near(back.y, 3);
});

test("zooming keeps what is under the pointer, within bounds", () => {
  const pointer = { x: 321, y: 123 };
  let now = { scale: 1, x: 40, y: 60 };
  const under = view.toImage(now, pointer);
  for (const factor of [1.7, 3, 0.2, 100, 1e-6]) {
    now = view.zoomAt(now, pointer, factor);
    near(view.toImage(now, pointer).x, under.x, 1e-6);
    assert.ok(now.scale >= view.LEAST_SCALE && now.scale <= view.MOST_SCALE);
  }
});

test("two fingers hold what they hold", () => {
  const now = { scale: 2, x: 10, y: 20 };
  const before = [{ x: 100, y: 100 }, { x: 200, y: 100 }];
  const after = [{ x: 120, y: 150 }, { x: 320, y: 150 }];
  const pinched = view.pinch(now, before, after);
  near(pinched.scale, 4);
  before.forEach((finger, k) => near(view.toImage(pinched, after[k]).x, view.toImage(now, finger).x));
});

test("the wheel zooms in upwards and out downwards by the same", () => {
  const up = view.wheelFactor({ deltaY: -100, deltaMode: 0 });
  near(up * view.wheelFactor({ deltaY: 100, deltaMode: 0 }), 1);
  assert.ok(up > 1.05 && up < 1.5);
  assert.ok(view.wheelFactor({ deltaY: -1e6, deltaMode: 1 }) < 2);
});

test("crops are whole pixels within the image; a slip of the hand is none", () => {
  const size = { width: 100, height: 50 };
  assert.deepEqual(area.rectangle(at(90.4, 60), at(-5, 10.6), size), { x: 0, y: 11, width: 90, height: 39 });
  assert.equal(area.rectangle(at(5, 5), at(7, 40), size), null);
});

test("rectangles meet and join", () => {
  const a = { x: 0, y: 0, width: 10, height: 10 };
  const b = { x: 5, y: 8, width: 10, height: 10 };
  assert.deepEqual(area.overlap(a, b), { x: 5, y: 8, width: 5, height: 2 });
  assert.equal(area.overlap(a, { x: 10, y: 0, width: 5, height: 5 }), null);
  assert.deepEqual(area.union(a, b), { x: 0, y: 0, width: 15, height: 18 });
  assert.equal(area.union(null, a), a);
});

test("handles extend in whole steps, never inwards", () => {
  const size = { width: 64, height: 64 };
  assert.deepEqual(area.extended(size, [8, 0, 64, 0]), { x: -8, y: 0, width: 136, height: 64 });
  assert.deepEqual(area.dragged([0, 0, 0, 0], 2, { x: 100, y: 30 }, size), [0, 0, 40, 0]);
  assert.deepEqual(area.dragged([16, 0, 0, 0], 0, { x: 20, y: 30 }, size), [0, 0, 0, 0]);
  assert.deepEqual(area.dragged([0, 0, 0, 0], 1, { x: 0, y: -9999 }, size), [0, 2048, 0, 0]);
  assert.equal(area.sideAt([8, 0, 0, 0], size, { x: -7, y: 33 }, 3), 0);
  assert.equal(area.sideAt([8, 0, 0, 0], size, { x: 32, y: 32 }, 3), -1);
});

test("colours are text and bytes", () => {
  assert.deepEqual(bytesOf("#ff6a3d"), [255, 106, 61]);
  assert.equal(textOf([0, 10, 255]), "#000aff");
  assert.deepEqual(overWhite([0, 0, 0, 0]), [255, 255, 255]);
});
