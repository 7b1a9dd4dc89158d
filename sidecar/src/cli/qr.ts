import { PNG } from "pngjs";
import { CliError, EXIT } from "./exit-code.ts";

/** A side of a code's picture, pixels, at most: the header says how much memory it takes. */
const MAX_SIDE = 2_000;

/** A finder, in each of three corners of a code, is so wide, modules. */
const FINDER = 7;

/** Around a code there have to be so many light modules (ISO/IEC 18004). Phones do with less, on a white screen. */
const QUIET = 2;

/** The dark modules of a QR code that is a PNG in a data URL, row by row. Throws CliError for any other picture. */
export function modulesOf(dataUrl: string): boolean[][] {
  const { width, height, isDark } = pixelsOf(dataUrl);
  const rows = Array.from({ length: height }, (_, y) => y).filter((y) => someDark(y, width, isDark));
  const [top = 0, bottom = -1] = [rows[0], rows.at(-1)];
  let left = 0;
  while (left < width && !isDark(left, top)) left += 1;
  let finderEnd = left;
  while (finderEnd < width && isDark(finderEnd, top)) finderEnd += 1;
  const module = (finderEnd - left) / FINDER;
  const side = (bottom - top + 1) / module;
  // 21, 25, 29, … modules: the versions of a code.
  if (!Number.isInteger(module) || module < 1 || !Number.isInteger(side) || side < 21 || (side - 17) % 4 !== 0)
    throw new CliError(EXIT.no, "what the gateway gave is no code that can be drawn here: use it without --qr");
  const middle = Math.floor(module / 2);
  return Array.from({ length: side }, (_, row) =>
    Array.from({ length: side }, (_, column) => isDark(left + column * module + middle, top + row * module + middle)),
  );
}

function pixelsOf(dataUrl: string) {
  try {
    const bytes = Buffer.from(dataUrl.slice(dataUrl.indexOf(",") + 1), "base64");
    // Width and height stand in the first chunk (PNG, 11.2.2).
    if (bytes.readUInt32BE(16) > MAX_SIDE || bytes.readUInt32BE(20) > MAX_SIDE) throw new Error("too large");
    const { width, height, data } = PNG.sync.read(bytes);
    const isDark = (x: number, y: number) => (data[(y * width + x) * 4] ?? 255) < 128;
    return { width, height, isDark };
  } catch {
    throw new CliError(EXIT.no, "what the gateway gave is no picture that can be read: use it without --qr");
  }
}

function someDark(y: number, width: number, isDark: (x: number, y: number) => boolean): boolean {
  for (let x = 0; x < width; x++) if (isDark(x, y)) return true;
  return false;
}

/** White on black, whatever the terminal's colours are: a code with its colours exchanged is none for some phones. */
const WHITE_ON_BLACK = "\u001b[97;40m";
const RESET = "\u001b[0m";

/** The code for a terminal, two rows of it a line: a character is twice as high as it is wide. */
export function drawCode(modules: boolean[][], colours: boolean): string {
  const side = modules.length + 2 * QUIET;
  const isLight = (row: number, column: number) => modules[row - QUIET]?.[column - QUIET] !== true && row < side;
  const lines: string[] = [];
  for (let row = 0; row < side; row += 2) {
    let line = "";
    for (let column = 0; column < side; column++) {
      const [upper, lower] = [isLight(row, column), isLight(row + 1, column)];
      line += upper ? (lower ? "█" : "▀") : lower ? "▄" : " ";
    }
    lines.push(colours ? `${WHITE_ON_BLACK}${line}${RESET}` : line);
  }
  return lines.join("\n");
}
