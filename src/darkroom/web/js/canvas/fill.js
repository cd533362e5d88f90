// Flood fill on RGBA bytes.  Pure functions.

/**
 * Which pixels are reached from (x, y) over neighbours (left, right, above, below) whose colour is
 * within `tolerance` (0 … 255, each channel) of that one: one byte a pixel, 1 where reached.
 *
 * `data`: RGBA bytes in rows, as of ImageData.  Null where (x, y) is outside.
 */
export function reached(data, width, height, x, y, tolerance = 0) {
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const found = new Uint8Array(width * height);
  const start = (y * width + x) * 4;
  const [red, green, blue, alpha] = data.subarray(start, start + 4);
  const alike = (pixel) => {
    const at = pixel * 4;
    return (
      Math.abs(data[at] - red) <= tolerance &&
      Math.abs(data[at + 1] - green) <= tolerance &&
      Math.abs(data[at + 2] - blue) <= tolerance &&
      Math.abs(data[at + 3] - alpha) <= tolerance
    );
  };
  // Whole spans of a row at once; the stack holds one pixel of each span to look at.
  const waiting = [y * width + x];
  while (waiting.length > 0) {
    const pixel = waiting.pop();
    if (found[pixel]) continue;
    const begin = pixel - (pixel % width);
    let left = pixel;
    while (left > begin && !found[left - 1] && alike(left - 1)) left -= 1;
    let right = pixel;
    while (right < begin + width - 1 && !found[right + 1] && alike(right + 1)) right += 1;
    found.fill(1, left, right + 1);
    for (const row of [-width, width]) {
      if (left + row < 0 || left + row >= found.length) continue;
      let inside = false;
      for (let at = left + row; at <= right + row; at += 1) {
        const open = !found[at] && alike(at);
        if (open && !inside) waiting.push(at);
        inside = open;
      }
    }
  }
  return found;
}

/**
 * Grows what was reached by a pixel, so that no seam is left beside a softened line; where
 * neighbours are outside the image, nothing.
 */
export function grown(found, width, height) {
  const wider = Uint8Array.from(found);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      if (!found[at]) continue;
      if (x > 0) wider[at - 1] = 1;
      if (x < width - 1) wider[at + 1] = 1;
      if (y > 0) wider[at - width] = 1;
      if (y < height - 1) wider[at + width] = 1;
    }
  }
  return wider;
}

/** Puts a colour ([red, green, blue, alpha], 0 … 255) where `found` says, over what is there. */
export function paintOver(data, found, [red, green, blue, alpha]) {
  const share = alpha / 255;
  for (let pixel = 0; pixel < found.length; pixel += 1) {
    if (!found[pixel]) continue;
    const at = pixel * 4;
    const below = (data[at + 3] / 255) * (1 - share);
    const total = share + below;
    if (total === 0) continue;
    data[at] = (red * share + data[at] * below) / total;
    data[at + 1] = (green * share + data[at + 1] * below) / total;
    data[at + 2] = (blue * share + data[at + 2] * below) / total;
    data[at + 3] = total * 255;
  }
}
