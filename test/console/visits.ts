import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { askOperator } from "../shop/operator-api.ts";
import { PATIENCE_MS, ShopWithConsole, type Visit } from "./shop.ts";
import { fillState } from "./state.ts";

/** With UPDATE_SCREENSHOTS=1 the pictures of the docs are taken anew. */
const PICTURES = process.env["UPDATE_SCREENSHOTS"]
  ? fileURLToPath(new URL("../../docs/console/", import.meta.url))
  : null;

/** The shop and the browser of all suites in this folder; open while their tests run. */
export let door: ShopWithConsole;
let made: Record<string, number>;

export async function open(): Promise<void> {
  door = await ShopWithConsole.start(async (dir) => {
    made = await fillState(dir);
  });
}

export async function close(): Promise<void> {
  await door?.close();
}

/** The number of a message that was there from the beginning. */
export const idOf = (name: string) => made[name] ?? 0;

export const enter: ShopWithConsole["enter"] = (...args) => door.enter(...args);

/** The browser has had nothing to say against the page. */
export async function leave({ context, problems }: Visit): Promise<void> {
  await context.close();
  expect(problems).toEqual([]);
}

/** `expect.poll` for a machine that has much else to do. */
export const poll: <T>(look: () => T | Promise<T>) => ReturnType<typeof expect.poll<T>> = (look) =>
  expect.poll(look, { timeout: PATIENCE_MS });

export const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === null) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** What the operator API's socket answers. */
export const ask = <Answer>(method: "GET" | "POST", path: string, body?: object) =>
  askOperator<Answer>(door.shop.sidecar.dir, method, `/api/v1${path}`, body);

/** What the link to a message is called. */
export async function nameOf(messageId: string): Promise<string> {
  const { messages } = await ask<{ messages: { id: number }[] }>("GET", `/messages?message_id=${messageId}`);
  return `Message ${messages[0]?.id}`;
}

/** What `hotbags audit` has of this user, the newest first, each as "kind subject: action". */
export async function auditedOf(user: string): Promise<string[]> {
  const { entries } = await ask<{ entries: { who: string; kind: string; subject: number | null; action: string }[] }>(
    "GET",
    "/audit?limit=50",
  );
  return entries.filter(({ who }) => who === user).map(({ kind, subject, action }) => `${kind} ${subject}: ${action}`);
}
