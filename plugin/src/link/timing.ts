/** All in milliseconds. */
export type LinkTiming = {
  /** First and longest wait before connecting again. */
  reconnectBaseMs: number;
  reconnectMaxMs: number;
  /** How long connecting and the sidecar's `welcome` may take. */
  openMs: number;
  /** How often a ping and, if it changed, the outbox's state are sent. */
  beatMs: number;
  /**
   * A connection that says nothing, or answers no message, for so long is given up: half-open sockets look healthy from
   * this side.
   */
  silenceMs: number;
  /** How long to wait after the sidecar said that it cannot store anything now. */
  retryMs: number;
  /** How long a closing handshake may take; OpenClaw gives a service 5 s to stop. */
  closeMs: number;
};

export const LINK_TIMING: LinkTiming = {
  reconnectBaseMs: 500,
  reconnectMaxMs: 30_000,
  openMs: 10_000,
  beatMs: 10_000,
  silenceMs: 30_000,
  retryMs: 2_000,
  closeMs: 1_000,
};
