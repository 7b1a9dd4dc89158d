// The working half of a sidecar on the store in PostgreSQL: the real relay, replies and clients, with accounts that it takes up
// and lets go. It takes in what the test hands to it, as the plugin would.
import { systemClock } from "../../sidecar/src/clock.ts";
import { openGateway } from "../../sidecar/src/gateway/index.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { HotBags } from "../../sidecar/src/relay/hotbags.ts";
import { Relay } from "../../sidecar/src/relay/relay.ts";
import { Replies } from "../../sidecar/src/replies/replies.ts";
import { StoreUnusableError } from "../../sidecar/src/store/errors.ts";
import { openPostgresStore } from "../../sidecar/src/store/postgres/index.ts";
import { type Migration, migrations } from "../../sidecar/src/store/postgres/migrations/index.ts";
import { TakeOvers } from "../../sidecar/src/take-overs.ts";
import { GATEWAY_TOKEN } from "../gateway/scripted-gateway.ts";
import { messageOf } from "../sidecar/message.ts";
import { NOTHING_HELD } from "../sidecar/nothing-held.ts";
import { clientOptions, QUICK } from "../sidecar/real-relay.ts";

/** What the test tells it at its start. */
export interface BridgeOptions {
  url: string;
  owner: string;
  hotbags: string;
  gatewayPort: number;
  stateDir: string;
  ttlMs: number;
  /** What a newer release does with the tables, after all that is done today. */
  newer?: readonly Migration[];
}

/** What it tells the test. */
export type Told =
  | { up: true }
  | { owns: true }
  | { lost: true }
  | { accepted: string }
  | { refused: string }
  | { alarm: string }
  | { unusable: string };

/** As `hotbags serve` ends where only a human can help. */
const EX_CONFIG = 78;

const options = JSON.parse(process.argv[2] ?? "") as BridgeOptions;
const tell = (told: Told) => void process.send?.(told);
const log = openLog("info", {
  write(line: string) {
    const { alarm, msg } = JSON.parse(line) as { alarm?: boolean; msg: string };
    if (alarm === true) tell({ alarm: msg });
  },
});
const { url, owner, stateDir, ttlMs, newer = [] } = options;
const store = await openPostgresStore({
  ...{ url, owner, stateDir, accounts: ["default"], clock: systemClock, idleMs: 1_000 },
  leaseMs: { ttl: ttlMs, renew: ttlMs / 3, ask: ttlMs / 10 },
  migrations: [...migrations, ...newer],
}).catch(refuse);
const gateway = openGateway({
  ...{ url: `ws://127.0.0.1:${options.gatewayPort}`, token: GATEWAY_TOKEN, log },
  timing: { pollMs: 50, reconnectMinMs: 50, reconnectMaxMs: 200 },
});
const common = { store, clock: systemClock, log, random: Math.random };
const replies = new Replies({ ...common, gateway, pace: { chatIntervalMs: 0, perMinute: 0 }, ...NOTHING_HELD });
const relay = new Relay(
  {
    ...{ ...common, hotbags: new HotBags(clientOptions(options.hotbags)) },
    onCommands: (chat) => replies.offer(chat),
    onDoubt: (id) => replies.doubt(id),
    alarm: ({ text }) => log.error({ alarm: true }, text),
  },
  QUICK,
);
const takeOvers = new TakeOvers({ store, parts: [replies, relay], beside: [replies], log, random: Math.random });
takeOvers.start();
await replies.start();
await relay.takeUp();
store.onOwned(() => tell({ owns: true }));
store.onLost(() => tell({ lost: true }));
store.onOutdated((error) => void end(error));
process.on("message", ({ id, chat, text = id }: { id: string; chat: string; text?: string }) => {
  const accepted = store.messages.accept(messageOf(id, chat, { text }));
  accepted.then(
    (message) => {
      relay.accepted(message);
      tell({ accepted: id });
    },
    // The plugin would keep it and hand it in again: here the test does.
    () => tell({ refused: id }),
  );
});
tell({ up: true });

function refuse(error: unknown): never {
  if (!(error instanceof StoreUnusableError)) throw error;
  tell({ unusable: error.message });
  process.exit(EX_CONFIG);
}

/** As the sidecar stops: what is under way ends, and the accounts are given back. */
async function end(why: StoreUnusableError): Promise<never> {
  await Promise.all([relay.stop(), replies.stop(), takeOvers.stop()]);
  await gateway.close();
  await store.close();
  return refuse(why);
}
