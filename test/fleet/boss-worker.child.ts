// A worker that takes one message, says so, and never ends it.
import { startBoss } from "./boss.ts";
import { poolOf } from "./server.ts";

const [host = ""] = process.argv.slice(2);
const boss = await startBoss(poolOf(host, 2));
const [job] = await boss.fetch("messages");
process.send?.(job?.id);
setInterval(() => {}, 60_000);
