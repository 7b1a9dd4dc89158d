import * as z from "zod";
import type { Routes } from "./route.ts";
import { time } from "./values.ts";

export const RANGES = ["hour", "day", "week", "month"] as const;

/** A value for each point; null: not known. */
const series = z.array(z.int().nullable());
const counts = z.record(z.string(), z.int());

const ofHops = <Form extends z.ZodType>(form: Form) =>
  z.object({ capture: form, hotbags: form, reply: form, whole: form });

export const figureRoutes = {
  figures: {
    method: "GET",
    path: "/figures",
    about:
      "What passed in the `range` that ends now (by default `day`), in points of `step_s` seconds: a minute, 5 minutes, an hour, 2 hours. `at`: when each point begins, s since 1970; the last one still runs. All lists have one value for each. Null: nobody counted then, since the sidecar did not run; of `p50_ms` and `p95_ms` also that there was nothing to measure. `total`: of all points together; null: none is known. [What is counted](figures.md)",
    changes: false,
    input: z.object({ range: z.enum(RANGES, `must be one of ${RANGES.join(", ")}`).optional() }),
    output: z.object({
      from: time,
      step_s: z.int(),
      at: z.array(z.int()),
      messages_in: series,
      replies_out: series,
      /** By kind, those that occurred. */
      failures: z.record(z.string(), series),
      /** The most that waited at a time. */
      waiting: series,
      replies_waiting: series,
      hops: ofHops(z.object({ p50_ms: series, p95_ms: series })),
      total: z
        .object({
          ...{ messages_in: z.int(), replies_out: z.int(), failures: counts, waiting: z.int() },
          replies_waiting: z.int(),
          hops: ofHops(z.object({ p50_ms: z.int().nullable(), p95_ms: z.int().nullable() })),
        })
        .nullable(),
    }),
  },
} as const satisfies Routes;
