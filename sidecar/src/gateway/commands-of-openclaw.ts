import { isOfSystemd } from "./unit.ts";

// What an operator types. Where systemd runs the gateway it does so as a user of its own: one that is started by hand would take its
// port, and another user's `openclaw` looks at another state.

/** The `openclaw` command, as the gateway's user. */
export const openclaw = () => (isOfSystemd() ? "sudo hotbags-openclaw" : "openclaw");

/** Starts the gateway. */
export function howToStart(): string {
  if (!isOfSystemd()) return "openclaw gateway";
  return "systemctl start openclaw-gateway.service; why it ended is in journalctl -u openclaw-gateway";
}

/** Shows a code in the terminal by which a phone is linked. */
export const howToLink = (account: string) => `${openclaw()} channels login --channel whatsapp --account ${account}`;

/** Why the plugin is not connected. */
export function howToAskPlugin(): string {
  return `\`${openclaw()} hotbags status\` says why; if there is no such command, OpenClaw has not loaded the plugin, and its log says why`;
}
