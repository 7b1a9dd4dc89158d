import { afterAll, beforeAll, expect, it } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { Failpoint } from "../crash/failpoint.ts";
import { OUTBOX_POINTS } from "../crash/points.ts";
import { expectInGuarantees, outcomeOfCommand, type Row } from "../crash/table.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// As the matrix of the embedded store: a built sidecar is killed exactly at a failpoint, with a command of Hot Bags' outbox on its
// way, and started again. It does not wait until the lease of the one that was killed is over.

const PATIENCE_MS = 60_000;

const UNSETTLED = `SELECT 1 FROM commands WHERE state IN ('pending', 'sending', 'in_doubt')`;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

it("a sidecar that is killed with what is in the outbox goes on: each text once on the phone", async (test) => {
  const url = await running(test, databases).make();
  await using stack = new AsyncDisposableStack();
  const connection = stack.adopt(new Connection({ url, connections: 1 }), (it) => it.close());
  const hotbags = stack.adopt(await startHotBags({ token: BEARER_TOKEN }), (it) => it.close());
  const gateway = stack.adopt(await new ScriptedGateway().start(), (it) => it.stop());
  const crash = stack.adopt(new Failpoint(), (it) => it.remove());
  const env = {
    ...{ BRIDGE_STORE: url, BRIDGE_OUTBOUND: "any", BRIDGE_OUTBOUND_PER_MINUTE: "0" },
    ...{ NODE_OPTIONS: `--import=${crash.module}`, ...crash.env },
  };
  const sidecar = stack.adopt(await BuiltSidecar.start({ hotbags, gateway, env }), (it) => it.close());
  const { outbox } = hotbags;
  const rows: Row[] = [];
  for (const { point, meaning, given } of OUTBOX_POINTS) {
    await until("a question is open", () => outbox.open === 1, PATIENCE_MS);
    const [before, asked] = [outbox.commands.length, outbox.polls.length];
    crash.arm(point);
    const killed = sidecar.process.ended();
    const id = `outbox-at-${point}`;
    const command = { command_id: id, type: "send_text", text: "of itself", to: ANNA };
    outbox.put({ ...command, transport_session_id: "whatsapp:default" });
    expect(await killed, point).toBe("SIGKILL");
    await connection.rows("UPDATE leases SET expires_at = '-infinity'");
    await sidecar.process.start();
    const tries = () => gateway.sends.filter(({ idempotencyKey }) => idempotencyKey === id);
    await until(`it is sent after ${point}`, () => tries().length > 0, PATIENCE_MS);
    await until("it has gone on", () => outbox.polls.at(-1)?.after === String(before + 1), PATIENCE_MS);
    await until("all is settled", async () => (await connection.rows(UNSETTLED)).length === 0, PATIENCE_MS);
    // The question that was open has given it, and each that came from the same place since.
    const times = 1 + outbox.polls.slice(asked).filter(({ after }) => after === String(before)).length;
    expect(times, point).toBe(given);
    // The gateway knows a key that it was asked for before, and sends nothing again.
    const replies = new Set(tries().map(({ idempotencyKey }) => idempotencyKey)).size;
    rows.push({ point, meaning, outcome: outcomeOfCommand({ given: times, replies }) });
  }
  expect(hotbags.violations).toEqual([]);
  await expectInGuarantees("PostgreSQL", rows);
}, 300_000);
