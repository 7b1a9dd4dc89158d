// What a test kills: the owner of a caretaker, a folder (its argument) and a process, whose id it prints.
import { spawn } from "node:child_process";
import { startCaretaker } from "./caretaker.ts";

const [folder = ""] = process.argv.slice(2);
const caretaker = startCaretaker(folder);
const { pid } = spawn("/bin/sleep", ["60"], { detached: true, stdio: "ignore" });
caretaker.watch(pid);
process.stdout.write(`${pid}\n`);
setInterval(() => {}, 60_000);
