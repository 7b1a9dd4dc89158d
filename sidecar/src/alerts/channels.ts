import { AlertCommand } from "./command.ts";
import type { Channel } from "./notice.ts";
import { Webhook } from "./webhook.ts";
import { type Format, formatFor } from "./webhook-formats.ts";

/** Where alerts go besides the log. All but the format may hold tokens, and are never logged. */
export interface ChannelSettings {
  /** `ALERT_WEBHOOK_URL`. */
  readonly webhookUrl: URL | null;
  /** `ALERT_WEBHOOK_FORMAT`; null: by its host. */
  readonly webhookFormat: Format | null;
  /** `ALERT_COMMAND`. */
  readonly command: string | null;
}

export function openChannels({ webhookUrl, webhookFormat, command }: ChannelSettings): Channel[] {
  const channels: Channel[] = [];
  if (webhookUrl) channels.push(new Webhook(webhookUrl, webhookFormat ?? formatFor(webhookUrl)));
  if (command !== null) channels.push(new AlertCommand(command));
  return channels;
}
