// Run by openclaw-gateway.service before the gateway starts: waits while something else listens on the gateway's port, and says so.
//
// OpenClaw (2026.9.6) ends with code 78 where another gateway answers there, and systemd would leave the unit down for good: also after
// that other one has ended, which somebody has started by hand, or which has outlived its unit.
import { connect } from "node:net";

const PORT = Number(process.env["OPENCLAW_GATEWAY_PORT"]) || 18789;
const LOOK_MS = 500;

let said = false;
while (await isTaken()) {
  if (!said)
    process.stderr.write(`hotbags: 127.0.0.1:${PORT} is already in use, by another gateway? Waiting until it ends\n`);
  said = true;
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

function isTaken() {
  return new Promise((resolve) => {
    const socket = connect(PORT, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => resolve(true)).on("connect", () => socket.destroy());
  });
}
