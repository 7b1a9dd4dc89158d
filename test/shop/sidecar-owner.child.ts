// What a test kills: the owner of a sidecar, whose process id it prints. Its argument is the sidecar's environment, as
// JSON.
import { SidecarProcess } from "./sidecar-process.ts";

const sidecar = new SidecarProcess(JSON.parse(process.argv[2] ?? "{}"));
await sidecar.start();
process.stdout.write(`${sidecar.pid}\n`);
setInterval(() => {}, 60_000);
