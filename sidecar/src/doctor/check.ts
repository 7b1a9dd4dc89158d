import type { Gateway } from "../gateway/index.ts";
import type { Pinged } from "../relay/hotbags.ts";
import type { Settings } from "../settings.ts";
import type { Finding } from "./finding.ts";

/** What is looked at: from within the sidecar that runs, or by the command where none does. */
export interface Subject {
  readonly environment: NodeJS.ProcessEnv;
  readonly stateDir: string;
  /** Null: they won't do, for these mistakes. Beside a sidecar that runs: what it uses, and the mistakes that it would start with now. */
  readonly settings: Settings | null;
  readonly mistakes: readonly string[];
  /** Null where the settings won't do. */
  readonly gateway: Gateway | null;
  /** What the sidecar says of itself; null: none runs. */
  readonly running: Running | null;
  /** The same answer for whoever asks. Null where the settings won't do. */
  readonly ping: (() => Promise<Pinged>) | null;
  /** The same request as a stranger's. */
  readonly pingAsStranger: () => Promise<Pinged>;
  /**
   * Asks for what is in the outbox behind this cursor, and takes nothing: why that can't be read, or null. Null where the
   * settings won't do.
   */
  readonly poll: ((after: string) => Promise<string | null>) | null;
  /** An alert is sent for a test. */
  readonly testsAlert: boolean;
}

/** The part of `/health` that is looked at. */
export interface Running {
  readonly problems: readonly string[];
  readonly plugin: { readonly connected: boolean };
  readonly versions: { readonly warnings: readonly string[] };
  readonly hotbags: { readonly last_success_at: string | null };
  /** Not while a shared database is away. */
  readonly outbound?: { readonly last_answer_at: string | null; readonly last_failure: string | null };
}

/** One thing to look at. */
export interface Check {
  readonly name: string;
  /** May reject, and may take too long: see `diagnose`. */
  look(subject: Subject): Promise<Finding[]> | Finding[];
}

/** Stands for a check that needs what the settings say. */
export const NO_SETTINGS = "the settings won't do, see above";
