// Colours as text (#rrggbb) and as bytes.  Pure functions.

export function bytesOf(text) {
  const number = Number.parseInt(text.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

export function textOf([red, green, blue]) {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** A colour over white, as images are read. */
export function overWhite([red, green, blue, alpha]) {
  const share = alpha / 255;
  return [red, green, blue].map((part) => Math.round(part * share + 255 * (1 - share)));
}
