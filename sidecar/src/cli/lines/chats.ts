import type { Argv } from "yargs";
import { listPausedChats, pauseChat, pauseIsFine, resumeChat } from "../chats.ts";
import type { Context } from "./context.ts";
import { common } from "./options.ts";

const ofChat = <T>(options: Argv<T>) =>
  common(options)
    .positional("chat", { type: "string", demandOption: true, describe: "A customer's number, or a group" })
    .option("account", { type: "string", requiresArg: true, default: "default", describe: "Its WhatsApp account" });
/** `hotbags chats …`. */
export const chatLines =
  ({ asking, changing }: Context) =>
  (program: Argv) =>
    program
      .command(
        "list",
        "Chats that are paused",
        (options) => common(options),
        asking((operator, _args, output) => listPausedChats(operator, output)),
      )
      .command(
        "pause <chat>",
        "Let no reply out in a chat, while you answer there yourself",
        (options) =>
          ofChat(options)
            .option("for", {
              type: "string",
              requiresArg: true,
              default: "2h",
              describe: "How long: 30m, 2h, 7d at most",
            })
            .option("skip", { type: "boolean", default: false, describe: "Replies are skipped instead of held" })
            .check((args) => pauseIsFine(args.for) > 0),
        changing((operator, args, output) => pauseChat(operator, args, output)),
      )
      .command(
        "resume <chat>",
        "End every pause of a chat",
        ofChat,
        changing((operator, args, output) => resumeChat(operator, args, output)),
      )
      .example("$0 chats pause +15550001000 --for 2h", "You answer this customer yourself")
      .demandCommand(1, "say what to do with them: list, pause or resume");
