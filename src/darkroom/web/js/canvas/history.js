// Undo and redo within bounded memory.  An entry is any value with `bytes`, what it takes.

export const HISTORY_BYTES = 160 * 2 ** 20;

export class History {
  #done = [];
  #undone = [];
  #limit;

  constructor(limit = HISTORY_BYTES) {
    this.#limit = limit;
  }

  /** A new change ends what could be redone.  The oldest make room; the newest always stays. */
  push(entry) {
    this.#undone = [];
    this.#done.push(entry);
    while (this.#done.length > 1 && this.bytes > this.#limit) this.#done.shift();
  }

  /** The change to take back, or null. */
  undo() {
    const entry = this.#done.pop() ?? null;
    if (entry) this.#undone.push(entry);
    return entry;
  }

  /** The change to make again, or null. */
  redo() {
    const entry = this.#undone.pop() ?? null;
    if (entry) this.#done.push(entry);
    return entry;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  get bytes() {
    return [...this.#done, ...this.#undone].reduce((sum, entry) => sum + entry.bytes, 0);
  }
}
