import { VERSION } from "@hotbags/shared";
import { serve } from "./serve.ts";

const USAGE = `hotbags ${VERSION}: takes WhatsApp messages from OpenClaw to Hot Bags, and the replies back

  hotbags serve        run the sidecar until it is stopped
  hotbags --help       this text
  hotbags --version    the version

Settings come from the environment:
  HOTBAGS_BASE_URL          https://… of the shop's backend (required)
  HOTBAGS_INBOUND_PATH      where it takes messages (default /api/integrations/whatsapp/inbound)
  HOTBAGS_BEARER_TOKEN      its token (required)
  HOTBAGS_HMAC_DISABLED     false: sign every request (default true)
  HOTBAGS_HMAC_SECRET       the key to sign with
  HOTBAGS_EXTRA_HEADERS     headers to send along, one "Name: value" a line, such as
                            x-vercel-protection-bypass (secret)
  HOTBAGS_TIMEOUT           seconds that an answer may take (default 310, at most 3600)
  OPENCLAW_GATEWAY_URL      the gateway (default ws://127.0.0.1:18789)
  OPENCLAW_GATEWAY_TOKEN    its token (required)
  BRIDGE_LISTEN             where the plugin connects and GET /health answers:
                            127.0.0.1:18790 (default) or unix:/path
  BRIDGE_TOKEN              the token the plugin shows, 16 characters or more (required)
  BRIDGE_STATE_DIR          where the queue and the attachments are kept (default ~/.local/state/hotbags-bridge)
  BRIDGE_KEEP_TEXTS_DAYS    days until delivered texts and files are forgotten (default 30)
  BRIDGE_MEDIA_STORE_BYTES  most bytes of attachments that are kept (default 4 GiB);
                            where that is used up, delivered ones go first
  BRIDGE_INLINE_MEDIA_BYTES most bytes of attachments sent along with a message, before
                            base64 (default 3000000, at most 3375000; 0: none)
  BRIDGE_LOW_DISK_BYTES     an alert is raised when the disk of BRIDGE_STATE_DIR has less left
                            (default 1 GiB; 0: never)
  BRIDGE_CHAT_INTERVAL_MS   least time between two replies in one chat (default 0)
  BRIDGE_REPLIES_PER_MINUTE most replies over all chats (default 0: no limit)
  BRIDGE_CHAT_REPLIES_PER_MINUTE, BRIDGE_CHAT_REPLIES_PER_HOUR
                            the brake: what one chat gets beyond that waits, and an alert is raised
                            (default 30 and 300; 0: no limit)
  BRIDGE_FORMER_NUMBERS     numbers that the shop had before (+15550001,…): replies to messages that were
                            written to them may leave from the number that is linked now; else they wait
  BRIDGE_QUIET_HOURS        an alert is raised when no message has come in for so many opening hours, though all is
                            connected (default 0: never; at most 168)
  BRIDGE_OPENING_HOURS      when customers write, in local time: 9-18 (default), Mon-Sat 9:30-18
  ALERT_WEBHOOK_URL         https://… that alerts are posted to, as JSON
  ALERT_COMMAND             a shell command that gets an alert's text on its standard input
  BRIDGE_LOG_LEVEL          debug, info (default), warn or error

HOTBAGS_BEARER_TOKEN, HOTBAGS_HMAC_SECRET, HOTBAGS_EXTRA_HEADERS, OPENCLAW_GATEWAY_TOKEN, BRIDGE_TOKEN and
ALERT_WEBHOOK_URL can be in a file:
HOTBAGS_BEARER_TOKEN_FILE=/path, and so on. A line break at its end does not count.
`;

/** Runs the command line. Resolves with the exit code. */
export async function main(args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const [command, ...rest] = args;
  if (command === "--help" || command === "-h" || command === "help") return print(USAGE);
  if (command === "--version") return print(`${VERSION}\n`);
  if (command === "serve" && rest.length === 0) return serve(environment);
  if (command === "serve" && (rest[0] === "--help" || rest[0] === "-h")) return print(USAGE);
  const wrong = command === undefined ? "a command is missing" : `${JSON.stringify(args.join(" "))} is not a command`;
  process.stderr.write(`hotbags: ${wrong}; see hotbags --help\n`);
  return 2;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
