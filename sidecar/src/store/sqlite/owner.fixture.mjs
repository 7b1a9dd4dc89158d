// Holds the store of the folder in argv until it is killed.
import { systemClock } from "../../clock.ts";
import { openStore } from "../index.ts";

openStore(process.argv[2], systemClock);
process.send("open");
setInterval(() => {}, 60_000);
