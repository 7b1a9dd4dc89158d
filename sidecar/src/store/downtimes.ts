/** An account's last connection to WhatsApp, as far as it was seen. */
export interface Connection {
  readonly processId: string | null;
  readonly startedAt: number | null;
  readonly connectedAt: number | null;
  readonly lastInboundAt: number | null;
  /** `up` until it is seen broken. */
  readonly state: "up" | "lost" | "taken";
  /** Until when it surely carried messages, ms since 1970. */
  readonly aliveAt: number;
  /** The same by the clock that never jumps; null when it was another process of the sidecar that saw it. */
  readonly aliveUptimeMs: number | null;
}

/** A time from which messages may be missing. */
export interface Downtime {
  /** Null: the clock was set back while nobody looked, so that the beginning isn't known. */
  readonly from: number | null;
  readonly to: number;
  /** By how much the machine's clock went forward without time passing: a pause, a sleep, or a corrected clock. */
  readonly clockJumpMs: number;
}

export interface RecordedDowntime extends Downtime {
  /** Never used twice. */
  readonly id: number;
  readonly accountId: string;
}

/** When each account was last seen connected, and what came of it. */
export interface DowntimeStore {
  /** The last connection of each account, as an earlier process of the sidecar saw it; none where they can't be read. */
  connections(): Promise<Map<string, Connection>>;

  /** Writes the connection and the downtime that it ended, in one transaction: after a crash there are both or neither. */
  record(accountId: string, connection: Connection, downtime: Downtime | null): Promise<void>;

  /** The oldest downtime whose alert is not raised yet. */
  nextToTell(): Promise<RecordedDowntime | null>;

  /** Its alert was raised; before that it is raised again at each start. */
  told(id: number): Promise<void>;
}
