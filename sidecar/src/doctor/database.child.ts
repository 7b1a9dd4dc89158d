// A process of its own, because SQLite looks at all pages without a pause, and is to be ended when that takes too long.
import { inspectStore } from "../store/index.ts";

const [, , stateDir = ""] = process.argv;
process.stdout.write(JSON.stringify(inspectStore(stateDir)));
