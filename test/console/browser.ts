import { type Browser, chromium } from "playwright-core";
import { findChromium } from "../setup/chromium.ts";

/** Starts Debian's Chromium. Rejects where there is none to be had: CI fails then, and others are told. */
export async function startBrowser(): Promise<Browser> {
  const program = await findChromium();
  if (typeof program === "string") throw new Error(program);
  return chromium.launch({
    executablePath: program.path,
    env: { ...definedOf(process.env), ...program.env },
    // Root has no sandbox, nor has a container; and a small /dev/shm would end it.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
