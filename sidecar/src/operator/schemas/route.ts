import type { z } from "zod";

/** One thing that can be asked. */
export interface Route {
  method: "GET" | "POST";
  /** Below API_PREFIX; `:id` is a number; any other such part belongs to the input. */
  path: string;
  /** What it does, as a sentence. */
  about: string;
  /** It changes something, or leaves a line in the audit: only a running sidecar does it. */
  changes: boolean;
  /** It is not there through the console. */
  only?: "socket";
  /** Of the query, or of the JSON body. */
  input: z.ZodType;
  output: z.ZodType;
}

export type Routes = Record<string, Route>;
