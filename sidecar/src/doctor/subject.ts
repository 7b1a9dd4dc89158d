import { pino } from "pino";
import type { Gateway } from "../gateway/index.ts";
import { HotBags, type Pinged } from "../relay/hotbags.ts";
import { ruleFor } from "../relay/rules.ts";
import { ofOutbox } from "../relay/sentences.ts";
import type { Settings } from "../settings.ts";
import type { Running, Subject } from "./check.ts";

/** For a connection and an answer each, ms. A cold start of a backend is in it. */
const PING_TIMEOUT_MS = 5_000;

interface SubjectParts {
  environment: NodeJS.ProcessEnv;
  stateDir: string;
  /** Null: see `mistakes`. */
  settings: Settings | null;
  mistakes: readonly string[];
  /** The gateway to look at: the sidecar's own, or one that is opened for it. */
  gateway(settings: Settings): Gateway;
  running: Running | null;
  testsAlert: boolean;
}

/** Puts together what is looked at. Whoever is done with it closes it, and the gateway if it was opened for it. */
export function openSubject({ gateway, settings, ...parts }: SubjectParts) {
  const { environment, stateDir, mistakes, running, testsAlert } = parts;
  const common = { environment, stateDir, settings, mistakes, running, testsAlert };
  if (settings === null) {
    const nobody = () => Promise.reject(new Error("there are no settings"));
    const subject: Subject = { ...common, gateway: null, ping: null, pingAsStranger: nobody, poll: null };
    return { subject, close: async () => {} };
  }
  const hotbags = new HotBags({
    ...settings.hotbags,
    ...{ connectTimeoutMs: PING_TIMEOUT_MS, timeoutMs: PING_TIMEOUT_MS, maxRetryAfterMs: 0, connections: 1 },
    // What it says of two secrets at once the sidecar's own client says.
    log: pino({ level: "silent" }),
  });
  let answer: Promise<Pinged> | undefined;
  const ping = () => {
    answer ??= hotbags.ping(true);
    return answer;
  };
  const subject: Subject = {
    ...common,
    gateway: gateway(settings),
    ping,
    pingAsStranger: () => hotbags.ping(false),
    poll: async (after) => {
      const { path } = settings.outbox;
      const polled = await hotbags.poll({ path, after, waitSeconds: 1 }, AbortSignal.timeout(2 * PING_TIMEOUT_MS));
      return polled.kind === "failed" ? ofOutbox(polled.symptom, ruleFor(polled.symptom)) : null;
    },
  };
  return { subject, close: () => hotbags.close() };
}
