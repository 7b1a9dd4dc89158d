import { expect, it } from "vitest";
import { Retries } from "./retries.ts";

const backoff = { baseMs: 1_000, maxMs: 900_000 };

it("counts failures in a row for each key by itself", () => {
  const failures = new Retries<string>(backoff, () => 0.5);
  expect(["a", "a", "b", "a"].map((key) => failures.add(key))).toEqual([
    { inARow: 1, waitMs: 500 },
    { inARow: 2, waitMs: 1_000 },
    { inARow: 1, waitMs: 500 },
    { inARow: 3, waitMs: 2_000 },
  ]);
  failures.clear("a");
  expect(failures.add("a")).toEqual({ inARow: 1, waitMs: 500 });
});
