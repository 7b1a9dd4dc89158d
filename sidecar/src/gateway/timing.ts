import type { GatewayTiming } from "./types.ts";

export const DEFAULT_TIMING: GatewayTiming = {
  // No push event tells of a WhatsApp drop, so it is noticed by asking; a status costs the gateway a few ms.
  pollMs: 3_000,
  // Three missed polls and their timeout. A status that is older says nothing about now.
  freshMs: 15_000,
  statusTimeoutMs: 5_000,
  // A send that WhatsApp drops in the middle is not answered until WhatsApp is back (80 s were seen); waiting for the answer is
  // better than a doubt, and leaves time in the gateway's memory of the key to ask again.
  sendTimeoutMs: 120_000,
  // The first reading of a transcript in a gateway process took seconds on a busy machine.
  historyTimeoutMs: 30_000,
  // The gateway looks at the folders of all plugins for it.
  pluginsTimeoutMs: 60_000,
  startTimeoutMs: 30_000,
  configTimeoutMs: 5_000,
  loginTimeoutMs: 60_000,
  // Less than an operator's command waits for an answer of the sidecar.
  loginWaitMs: 8_000,
  connectTimeoutMs: 15_000,
  reconnectMinMs: 500,
  reconnectMaxMs: 5_000,
  // The gateway counts wrong tokens and locks out who offers too many.
  refusedRetryMs: 30_000,
};
