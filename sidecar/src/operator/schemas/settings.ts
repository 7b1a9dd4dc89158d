import * as z from "zod";
import type { Routes } from "./route.ts";

const SOURCES = ["environment", "env_file", "file", "credential", "default"] as const;

const settingValue = {
  /** Null: it is not set. A secret is never shown. */
  value: z.string().nullable(),
  source: z.enum(SOURCES).nullable(),
  /** Of the file that it is from. */
  path: z.string().nullable(),
};

const setting = z.object({
  name: z.string(),
  ...settingValue,
  secret: z.boolean(),
  /** A reload takes a change over; of others, a restart does. */
  reloadable: z.boolean(),
  /** What is written now, where it is not what is in use. */
  written: z.object(settingValue).nullable(),
});

export const settingsRoutes = {
  config: {
    method: "GET",
    path: "/config",
    about:
      "The settings in use, and where each is from. `written`: what would be read now, where that differs; `mistakes`: what is wrong with it",
    changes: false,
    input: z.object({}),
    output: z.object({ env_file: z.string().nullable(), settings: z.array(setting), mistakes: z.array(z.string()) }),
  },
  reload: {
    method: "POST",
    path: "/config/reload",
    about:
      "The settings are read again, and taken over without a restart, but for those in `needs_restart`. With `mistakes` nothing is",
    changes: true,
    input: z.object({}),
    output: z.object({
      changed: z.array(z.string()),
      needs_restart: z.array(z.string()),
      mistakes: z.array(z.string()),
    }),
  },
} as const satisfies Routes;
