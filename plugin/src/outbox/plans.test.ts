import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OMITTED } from "@hotbags/shared";
import { expect, onTestFinished, test, vi } from "vitest";
import { putWithFiles } from "../testing/backlog.ts";
import { sha256Of } from "../testing/files.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { captured } from "../testing/messages.ts";
import { Outbox } from "./outbox.ts";
import { reportOutbox } from "./report.ts";

const NOW = 1_767_607_200_000;

/** Its one row. */
const MAY_SCAN = /^SCAN totals$/;
/** A walk along the order of arrival, or along the incomplete messages, that ends at its limit. */
const IS_WALK = /^SCAN waiting( USING (COVERING )?INDEX waiting_held)?$/;
const HAS_LIMIT = /ORDER BY seq LIMIT/;

/** Asks an outbox for everything once. What is not asked for here fails the test below. */
async function askForEverything(file: string): Promise<void> {
  const outbox = new Outbox(file);
  const files = ["one", "two"].map((text) => Buffer.from(text));
  const picture = putWithFiles(outbox, { id: "A1", chat: "+15550001" }, files);
  const row = outbox.get(picture);
  if (row === undefined) throw new Error("there is none");
  outbox.filesOf(row);
  outbox.omit(picture, sha256Of(Buffer.from("one")), OMITTED.lost);
  const incomplete = outbox.put(captured({ message_id: "A2" }), NOW, true);
  outbox.incomplete();
  outbox.release(incomplete?.seq ?? 0);
  outbox.after(0, 10);
  outbox.nextOf(row, 0);
  outbox.deadLetter(incomplete?.seq ?? 0, "bad_message", "odd", NOW);
  outbox.put({ ...{ ok: false, account: "a", chat: "c", messageId: "m" }, reason: "odd", evidence: {} }, NOW);
  expect(() => new Outbox(file, { messages: 0, bytes: 0 }).put(captured({ message_id: "A3" }), NOW)).toThrow();
  outbox.remove([picture]);
  await outbox.sweep();
  outbox.oldestMs();
  outbox.synchronous();
  void [outbox.totals(), outbox.media];
  reportOutbox(file);
  outbox.close();
}

test("every statement finds its rows by an index, so that none costs more with a long backlog than with a short one", async () => {
  const file = join(temporaryFolder(), "outbox.sqlite");
  new Outbox(file).close();
  const prepared = vi.spyOn(DatabaseSync.prototype, "prepare");
  const names = Object.getOwnPropertyNames(Outbox.prototype);
  const verbs = names.filter((name) => name !== "constructor" && name !== "media");
  const spies = verbs.map((name) => vi.spyOn(Outbox.prototype, name as "get"));
  onTestFinished(() => void vi.restoreAllMocks());
  await askForEverything(file);
  expect(verbs.filter((_, n) => spies[n]?.mock.calls.length === 0)).toEqual([]);
  const statements = new Set(prepared.mock.calls.map(([sql]) => sql).filter((sql) => !sql.startsWith("PRAGMA")));
  vi.restoreAllMocks();

  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  const costly = [...statements].flatMap((sql) => {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array((sql.match(/\?/g) ?? []).length).fill(1));
    return plan
      .map(({ detail }) => String(detail))
      .filter((detail) => /^SCAN|TEMP B-TREE|AUTOMATIC/.test(detail) && !MAY_SCAN.test(detail))
      .filter((detail) => !(IS_WALK.test(detail) && HAS_LIMIT.test(sql)))
      .map((detail) => `${detail}: ${sql}`);
  });
  expect(statements.size).toBeGreaterThan(15);
  expect(costly).toEqual([]);
});
