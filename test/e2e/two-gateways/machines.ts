import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Failpoint } from "../../crash/failpoint.ts";
import { type Databases, startDatabases } from "../../fleet/databases.ts";
import { runHotbags } from "../../shop/hotbags-command.ts";
import { BOT_NUMBER, type Ends, openShop, type Shop, startEnds } from "../../shop/shop.ts";

/** A machine of the shop: its gateway with a WhatsApp number, the plugin in it, and the sidecar beside it. */
export interface Machine extends Shop {
  /** Its WhatsApp account, and by what its sidecar is known to the other one. */
  readonly account: string;
  /** Where its sidecar can be killed. */
  readonly crash: Failpoint;
  /** The ids of the messages in its plugin's outbox. */
  inOutbox(): string[];
  /** What `hotbags <command> --json` says there. */
  ask<Answer>(command: string): Promise<Answer>;
}

/** The PostgreSQL of both, once they are open. A sentence where there is none to be had: then all else is missing. */
export let databases: Databases | string;
/** The far ends of both. */
export let ends: Ends;
export let lisbon: Machine;
export let porto: Machine;
export const machines: Machine[] = [];

/** Starts one gateway after the other: on a busy machine each has the time that one alone may take. */
export async function open(): Promise<void> {
  databases = await startDatabases();
  if (typeof databases === "string") return;
  ends = await startEnds();
  const store = await databases.make();
  lisbon = await openMachine("lisbon", BOT_NUMBER, store);
  porto = await openMachine("porto", "+15559990001", store);
}

export async function close(): Promise<void> {
  await Promise.all(machines.map((machine) => machine.close()));
  await ends?.close();
  if (typeof databases === "object") await databases[Symbol.asyncDispose]();
}

async function openMachine(account: string, number: string, store: string): Promise<Machine> {
  const crash = new Failpoint();
  const shop = await openShop({
    ends,
    accounts: [{ id: account, number }],
    sidecarEnv: { BRIDGE_STORE: store, BRIDGE_INSTANCE: account },
    sidecarPreload: crash,
  });
  const machine: Machine = {
    ...shop,
    ...{ account, crash },
    inOutbox() {
      const outbox = new DatabaseSync(join(shop.gateway.stateDir, "hotbags", "outbox.sqlite"), { readOnly: true });
      const rows = outbox.prepare("SELECT message_id FROM waiting ORDER BY seq").all();
      outbox.close();
      return rows.map((row) => String(row["message_id"]));
    },
    ask: async (command) => JSON.parse((await runHotbags(shop.stateDir, command, "--json")).stdout),
    async close() {
      await shop.close();
      crash.remove();
    },
  };
  machines.push(machine);
  return machine;
}
