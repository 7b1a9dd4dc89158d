import { expect, test } from "vitest";
import { freePort } from "./port.ts";

test("no port is handed out twice, though nobody listens on it yet", async () => {
  // Drawn at random from 12,000, some of 500 would be the same.
  const ports = await Promise.all(Array.from({ length: 500 }, freePort));
  expect(new Set(ports).size).toBe(500);
});
