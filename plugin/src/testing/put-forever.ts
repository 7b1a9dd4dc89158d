// A process that stores messages as fast as it can, and says the id of each once `put` has returned. To be killed.
import { writeSync } from "node:fs";
import { Outbox } from "../outbox/outbox.ts";
import { captured } from "./messages.ts";

const outbox = new Outbox(process.argv[2] ?? "");
for (let n = 0; ; n += 1) {
  outbox.put(captured({ message_id: `M${n}` }), Date.now());
  writeSync(1, `M${n}\n`);
}
