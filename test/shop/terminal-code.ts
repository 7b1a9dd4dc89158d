import jsqr from "jsqr";

/** Pixels that a module gets, so that a reader finds it. */
const SCALE = 4;

const LINE = /^[█▀▄ ]{20,}$/;

/** What a phone reads in the last QR code that a terminal shows, drawn in half blocks; undefined where there is none, or not all of it yet. */
export function readCode(shown: string): string | undefined {
  const lines = shown.split("\n");
  const last = lines.findLastIndex((line) => LINE.test(line));
  if (last < 0) return undefined;
  let first = last;
  while (first > 0 && LINE.test(lines[first - 1] ?? "")) first -= 1;
  const rows = lines.slice(first, last + 1).flatMap((line) => [light(line, "█▀"), light(line, "█▄")]);
  const width = (rows[0]?.length ?? 0) * SCALE;
  const height = rows.length * SCALE;
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const isLight = rows[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)] ?? true;
      if (!isLight) pixels.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  return jsqr.default(pixels, width, height)?.data;
}

function light(line: string, blocks: string): boolean[] {
  return [...line].map((character) => blocks.includes(character));
}
