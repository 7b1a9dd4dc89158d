// What an operator types. Where systemd runs this sidecar, it runs the gateway too, as a user of its own: one that is started by hand
// would take its port, and another user's `openclaw` looks at another state.

const isOfSystemd = () => Boolean(process.env["NOTIFY_SOCKET"]);

/** Starts the gateway. */
export function howToStart(): string {
  if (!isOfSystemd()) return "openclaw gateway";
  return "systemctl start openclaw-gateway.service; why it ended is in journalctl -u openclaw-gateway";
}

/** Why the plugin is not connected. */
export function howToAskPlugin(): string {
  const command = isOfSystemd() ? "sudo hotbags-openclaw hotbags status" : "openclaw hotbags status";
  return `\`${command}\` says why; if there is no such command, OpenClaw has not loaded the plugin, and its log says why`;
}
