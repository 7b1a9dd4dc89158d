// Whose code may be shipped, and its licences' texts, which go along.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Anything else needs somebody to read it first: nothing copyleft runs in production. */
const FIT_LICENCES = ["BlueOak-1.0.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"];

/** Throws Error unless the package's licence, by its SPDX name, is one that may be shipped. */
export function assertFit(name, version, licence) {
  if (!FIT_LICENCES.includes(licence)) throw new Error(`${name} ${version} is under ${licence}: may it be shipped?`);
}

/** Name, version and licence text of the package in each of these folders, in their order. Throws Error for one that may not be shipped. */
export async function licenceTexts(folders) {
  const parts = [];
  for (const folder of folders) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    assertFit(name, version, license);
    const text = await licenceIn(folder);
    if (text === undefined) throw new Error(`${name} ${version} has no licence text to go along (${folder})`);
    parts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}

/** The text of a file of its own, or of that part of the package's README that has all of it; undefined: there is neither. */
async function licenceIn(folder) {
  const entries = await readdir(folder);
  const read = (pattern) => {
    const file = entries.find((entry) => pattern.test(entry));
    return file === undefined ? "" : readFile(join(folder, file), "utf8");
  };
  const own = await read(/^licen[cs]e/i);
  if (own !== "") return own;
  const part = /^#+ *licen[cs]e *$([\s\S]*?)(?=^#|$(?![\s\S]))/im.exec(await read(/^readme/i))?.[1] ?? "";
  // Whose it is, what is granted, and the disclaimer: what these licences ask to go along.
  return /copyright/i.test(part) && /permission/i.test(part) && /warrant/i.test(part) ? part : undefined;
}
