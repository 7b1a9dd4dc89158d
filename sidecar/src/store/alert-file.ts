import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { AlertRecord, AlertStore, NoticeRecord } from "./alerts.ts";

/** Alerts that ended are remembered, the last ones. */
const KEPT_PAST = 200;

const alert = z.object({
  ...{ id: z.string(), kind: z.string(), subject: z.string(), text: z.string(), details: z.string() },
  ...{ since_at: z.number(), since: z.number(), away_since: z.number().nullable(), told_at: z.number() },
  ...{ told_amount: z.number(), returns: z.number(), is_reopened: z.literal([0, 1]) },
  ...{ ended_at: z.number().nullable(), ended: z.number().nullable() },
}) satisfies z.ZodType<AlertRecord>;
const notice = z.object({
  ...{ channel: z.string(), number: z.number(), told_at: z.number(), notice: z.string() },
}) satisfies z.ZodType<NoticeRecord>;
const written = z.object({ alerts: z.array(alert), notices: z.array(notice) });

/**
 * The alerts of one machine, in a small file of its own: they are nobody else's to go on with, and that a shared database
 * is away has to outlive a restart as well. It is written whole, one write at a time.
 */
export class AlertFile implements AlertStore {
  readonly #path: string;
  readonly #alerts = new Map<string, AlertRecord>();
  #notices: NoticeRecord[] = [];
  readonly #read: Promise<void>;
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(stateDir: string) {
    this.#path = join(stateDir, "machine-alerts.json");
    this.#read = this.#load();
  }

  async open(): Promise<AlertRecord[]> {
    await this.#read;
    return [...this.#alerts.values()].filter(({ ended }) => ended === null).sort((a, b) => a.since - b.since);
  }

  async past(limit: number): Promise<AlertRecord[]> {
    await this.#read;
    return this.#past().slice(0, limit);
  }

  async notices(): Promise<NoticeRecord[]> {
    await this.#read;
    const byChannel = (a: NoticeRecord, b: NoticeRecord) =>
      a.channel < b.channel ? -1 : Number(a.channel > b.channel);
    return this.#notices.toSorted((a, b) => byChannel(a, b) || a.number - b.number);
  }

  async write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    await this.#read;
    for (const one of alerts) this.#alerts.set(one.id, one);
    for (const { id } of this.#past().slice(KEPT_PAST)) this.#alerts.delete(id);
    for (const one of notices) this.#drop(one.channel, one.number);
    this.#notices.push(...notices);
    await this.#save();
  }

  async done(channel: string, number: number): Promise<void> {
    await this.#read;
    this.#drop(channel, number);
    await this.#save();
  }

  /** In the place of all that is there. */
  async replace(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    await this.#read;
    this.#alerts.clear();
    this.#notices = [];
    await this.write(alerts, notices);
  }

  #past(): AlertRecord[] {
    return [...this.#alerts.values()]
      .filter(({ ended }) => ended !== null)
      .sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
  }

  #drop(channel: string, number: number): void {
    this.#notices = this.#notices.filter((one) => one.channel !== channel || one.number !== number);
  }

  /** What can't be understood is none: what lasts is told anew. */
  async #load(): Promise<void> {
    try {
      const { alerts, notices } = written.parse(JSON.parse(await readFile(this.#path, "utf8")));
      for (const one of alerts) this.#alerts.set(one.id, one);
      this.#notices = notices;
    } catch {}
  }

  /** Resolves once a write that began after this call is on disk. All that come while one is under way share the next. */
  #save(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = null;
        this.#writing = this.#put();
        return this.#writing;
      });
    return this.#next;
  }

  async #put(): Promise<void> {
    const text = JSON.stringify({ alerts: [...this.#alerts.values()], notices: this.#notices });
    const next = `${this.#path}.next`;
    const file = await open(next, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
  }
}
