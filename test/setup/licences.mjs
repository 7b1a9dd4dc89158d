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
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} ${version} has no licence file to go along (${folder})`);
    parts.push(`${name} ${version} (${license})\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}
