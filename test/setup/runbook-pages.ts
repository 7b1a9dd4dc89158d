import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A block of a page: its language, and what is in it. */
interface Block {
  language: string;
  text: string;
}

export interface Page {
  /** From the root of the repository. */
  path: string;
  text: string;
  blocks: Block[];
  /** What stands between backquotes outside of blocks. */
  spans: string[];
}

const BLOCK = /^```(\w*)\n(.*?)^```$/gms;
const SPAN = /`([^`\n]+)`/g;

/** docs/runbook.md, and its pages. */
export function runbookPages(): Page[] {
  return globSync(["docs/runbook.md", "docs/runbook/*.md"], { cwd: ROOT }).toSorted().map(readPage);
}

function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), "utf8");
  const blocks = [...text.matchAll(BLOCK)].map(([, language = "", inside = ""]) => ({ language, text: inside }));
  const spans = [...text.replaceAll(BLOCK, "").matchAll(SPAN)].map(([, inside = ""]) => inside);
  return { path, text, blocks, spans };
}
