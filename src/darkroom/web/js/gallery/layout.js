/** Where the cells of the wall stand, and which of them are in sight.  Pixels. */

export const GAP = 6;
const EXTRA_ROWS = 3;

/** Columns and the side of a square cell for this width. */
export function layout(width) {
  const least = width < 600 ? 104 : 168;
  const columns = Math.max(3, Math.floor((width + GAP) / (least + GAP)));
  return { columns, side: Math.max(1, (width - (columns - 1) * GAP) / columns) };
}

/** Rows that are in sight, and a few around. */
export function inSight(top, height, row, rows) {
  const first = Math.max(0, Math.floor(top / row) - EXTRA_ROWS);
  return { first, last: Math.min(rows - 1, Math.ceil((top + height) / row) + EXTRA_ROWS) };
}
