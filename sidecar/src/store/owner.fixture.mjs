// Holds the store of the folder in argv until it is killed.
import { systemClock } from "../../dist/clock.js";
import { openStore } from "../../dist/store/index.js";

openStore(process.argv[2], systemClock);
process.send("open");
setInterval(() => {}, 60_000);
