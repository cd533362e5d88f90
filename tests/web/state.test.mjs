// What the page remembers, without a page: node --test tests/web/*.test.mjs
import assert from "node:assert/strict";
import test from "node:test";

const web = "../../src/darkroom/web/js/";

test("every digit of a seed comes and goes", async () => {
  const { read, seedAfter, seedIn, written } = await import(`${web}seeds.js`);
  const most = "9223372036854775807";
  const text = `{"images":[{"seed":${most},"prompt":"\\"seed\\":12345678901234567890"},{"variation_seed":18,"seed":9007199254740991}]}`;
  const value = read(text);
  assert.equal(value.images[0].seed, most);
  assert.equal(value.images[1].seed, 9007199254740991);
  assert.equal(written(value), text);
  assert.equal(written({ seed: "the seed" }), '{"seed":"the seed"}');
  assert.equal(seedIn("9007199254740993"), "9007199254740993");
  assert.equal(seedIn(" 42 "), 42);
  for (const none of ["", "-1", "1.5", "x", "9223372036854775808", "9".repeat(5000)]) assert.equal(seedIn(none), null);
  assert.equal(seedAfter("9007199254740993", -2), 9007199254740991);
  assert.equal(seedAfter(9007199254740991, 2), "9007199254740993");
  assert.equal(seedAfter(most, 10), most);
  assert.equal(seedAfter(3, -10), 0);
});

/** A store as a browser's; `broken`: as one that is full or forbidden. */
function shelf(broken = false) {
  const held = new Map();
  const refuse = () => { if (broken) throw new Error("forbidden"); };
  return {
    getItem: (key) => { refuse(); return held.get(key) ?? null; },
    setItem: (key, text) => { refuse(); held.set(key, text); },
  };
}

test("a tab keeps its own, and a new one begins with the last", async () => {
  const { keep, kept } = await import(`${web}kept.js`);
  const any = () => true;
  const all = shelf();
  const open = (tab) => Object.assign(globalThis, { sessionStorage: tab, localStorage: all });
  const [first, second] = [shelf(), shelf()];
  open(first);
  keep("wish", { prompt: "fox" });
  open(second);
  assert.deepEqual(kept("wish", {}, any), { prompt: "fox" });
  keep("wish", { prompt: "owl" });
  open(first);
  assert.deepEqual(kept("wish", {}, any), { prompt: "fox" });
  open(shelf());
  assert.deepEqual(kept("wish", {}, any), { prompt: "owl" });
  assert.deepEqual(kept("wish", { empty: true }, ({ steps }) => steps > 0), { empty: true }, "of another version");
  all.setItem("wish", "no JSON");
  assert.deepEqual(kept("wish", { empty: true }, any), { empty: true });
  Object.assign(globalThis, { sessionStorage: shelf(true), localStorage: shelf(true) });
  keep("wish", { prompt: "fox" });
  assert.deepEqual(kept("wish", { empty: true }, any), { empty: true });
});

test("an old image that changes is not taken for a new one", async () => {
  const { dropImages, putImage, recent, total } = await import(`${web}state.js`);
  const image = (day) => ({ id: `i${day}`, created: `2026-01-${String(day).padStart(2, "0")}T00:00:00Z`, favourite: false });
  recent.value = [image(9), image(8)];
  total.value = 40;
  const names = () => recent.value.map(({ id }) => id).join();
  putImage({ ...image(2), favourite: true });
  assert.deepEqual([names(), total.value], ["i9,i8", 40]);
  putImage({ ...image(8), favourite: true });
  assert.ok(recent.value[1].favourite);
  putImage(image(10));
  assert.deepEqual([names(), total.value], ["i10,i9,i8", 41]);
  dropImages(["i9"]);
  dropImages(["i9"]);
  assert.deepEqual([names(), total.value], ["i10,i8", 40], "told twice");
  putImage(image(9));
  assert.deepEqual([names(), total.value], ["i10,i9,i8", 41], "back where it was");
  dropImages(["i9"]);
  assert.equal(total.value, 40);
  putImage({ ...image(11), trashed: true });
  assert.equal(names(), "i10,i8");
});

test("a long text is cut between letters", async () => {
  const { shortened } = await import(`${web}words.js`);
  assert.equal(shortened("a fox", 10), "a fox");
  assert.equal(shortened("🦊".repeat(10), 10), "🦊".repeat(10));
  assert.equal(shortened("🦊".repeat(11), 10), `${"🦊".repeat(9)}…`);
  assert.equal(shortened("🦊".repeat(1000), 10), `${"🦊".repeat(9)}…`);
  assert.equal(shortened("a fox and an owl", 7), "a fox…");
});
