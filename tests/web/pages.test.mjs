// What the pages compute, without a page: node --test tests/web/*.test.mjs
import assert from "node:assert/strict";
import test from "node:test";

import { MOST, numbersIn } from "../../src/darkroom/web/js/compare/numbers.js";
import { GAP, inSight, layout } from "../../src/darkroom/web/js/gallery/layout.js";
import { framesOf } from "../../src/darkroom/web/js/image/frames.js";

const whole = (text) => numbersIn(text, true);
const real = (text) => numbersIn(text, false);

test("numbers are typed one by one, or as a range", () => {
  assert.deepEqual(whole("4, 8;12\n20").values, [4, 8, 12, 20]);
  assert.deepEqual(whole("1-4").values, [1, 2, 3, 4]);
  assert.deepEqual(whole("1 .. 10 by 3").values, [1, 4, 7, 10]);
  assert.deepEqual(whole("10 to 4 step 2").values, [10, 8, 6, 4]);
  assert.deepEqual(real("0.1-0.5").values, [0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(real("-1, -0.5, 7.5").values, [-1, -0.5, 7.5]);
  assert.deepEqual(real("3, 3, 3.0").values, [3]);
  assert.deepEqual(real("").values, []);
});

test("what is no number is named", () => {
  assert.equal(real("1, x, 3").wrong, "x");
  assert.equal(whole("1, 2.5").wrong, "2.5");
  assert.equal(whole("1-9 by 0").wrong, "1-9 by 0");
  assert.equal(whole("9007199254740993").wrong, "9007199254740993", "more than the page can count");
  assert.deepEqual(whole("2253804995123").values, [2253804995123]);
  assert.equal(real("4, 8").wrong, null);
});

test("a range has an end, however it is typed, and the reader can be told", () => {
  assert.equal(whole("1-1000000").values.length, MOST + 1);
  assert.equal(real("0-1 by 0.000001").values.length, MOST + 1);
});

test("the cells fill the width exactly", () => {
  for (const width of [320, 374, 599, 600, 1328, 2500]) {
    const { columns, side } = layout(width);
    assert.ok(columns >= 3);
    assert.ok(Math.abs(columns * side + (columns - 1) * GAP - width) < 1e-6);
  }
});

test("of ten thousand images few are in the document", () => {
  const { columns, side } = layout(1328);
  const row = side + GAP;
  const rows = Math.ceil(10_000 / columns);
  for (const top of [-76, 0, 5000, rows * row - 900]) {
    const { first, last } = inSight(top, 900, row, rows);
    assert.ok(first >= 0 && last <= rows - 1);
    assert.ok(first * row <= Math.max(0, top), "what is seen begins below the first");
    assert.ok(last === rows - 1 || (last + 1) * row >= top + 900, "and ends above the last");
    assert.ok((last - first + 1) * columns < 120);
  }
});

test("a strip shows the first step and the last", () => {
  assert.deepEqual(framesOf(1), [1]);
  assert.deepEqual(framesOf(0), []);
  assert.deepEqual(framesOf(5), [1, 2, 3, 4, 5]);
  const frames = framesOf(50);
  assert.equal(frames.length, 14);
  assert.deepEqual([frames[0], frames.at(-1)], [1, 50]);
  assert.equal(new Set(frames).size, 14);
});
