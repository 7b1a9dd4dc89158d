import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ALERTS_DE } from "../../console/src/texts/alerts-de.ts";
import { FAILURES_DE, FAILURES_EN } from "../../console/src/texts/failures.ts";
import { ALERTS } from "../../sidecar/src/alerts/table.ts";
import { RULES } from "../../sidecar/src/relay/rules.ts";

// The page as it is built and shipped, without a browser.

const PAGE = fileURLToPath(new URL("../../sidecar/dist/console/", import.meta.url));
const assets = readdirSync(join(PAGE, "assets"));
const read = (name: string) => readFileSync(join(PAGE, name));
const index = read("index.html").toString();

/** What a browser fetches before it shows anything. */
const first = ["index.html", ...[...index.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, path]) => path ?? "")];

/** The most that a first view may weigh, bytes: 100 KB. */
const LIMIT_BYTES = 100_000;

it.each([".br", ".gz"])("weighs less than 100 KB at the first view, compressed as %s", (ending) => {
  expect(first.length).toBeGreaterThanOrEqual(4);
  const bytes = first.map((name) => read(`${name}${ending}`).length).reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeLessThan(LIMIT_BYTES);
});

it("has nothing inline, and nothing from elsewhere", () => {
  expect(index).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  const scripts = assets.filter((name) => name.endsWith(".js") || name.endsWith(".css"));
  // Names of XML's kinds are no addresses.
  const addresses = scripts.flatMap(
    (name) =>
      read(`assets/${name}`)
        .toString()
        .match(/https?:\/\/[\w.-]+/g) ?? [],
  );
  expect(addresses.filter((address) => address !== "http://www.w3.org")).toEqual([]);
});

it("loads the chart library with the charts only", () => {
  const hasIt = (name: string) => read(`assets/${name}`).includes("u-legend");
  const charts = assets.filter((name) => name.endsWith(".js") && hasIt(name));
  expect(charts).toHaveLength(1);
  expect(first).not.toContain(`assets/${charts[0]}`);
});

it("has a German title for every kind of alert", () => {
  expect(Object.keys(ALERTS_DE)).toEqual(Object.keys(ALERTS));
});

it("has words for every kind of failure that figures name, in both languages", () => {
  const ofReplies = ["reply-not-sent", "reply-in-doubt", "reply-failed", "dead-letter"];
  const kinds = [...new Set(RULES.map(({ name }) => name)), ...ofReplies].sort();
  expect(Object.keys(FAILURES_EN).sort()).toEqual(kinds);
  expect(Object.keys(FAILURES_DE).sort()).toEqual(kinds);
});
