import type { Argv } from "yargs";
import { MESSAGE_STATES } from "../../operator/schemas.ts";
import { listMessages, repairMessages, showMessage } from "../messages.ts";
import type { Context } from "./context.ts";
import { common, content, list } from "./options.ts";

const choice = <T>(options: Argv<T>) =>
  common(options)
    .positional("ids", { type: "string", array: true, default: [] as string[], describe: "Numbers, or message_ids" })
    .option("dead-since", {
      type: "string",
      requiresArg: true,
      describe: "All that became dead letters since: 2h, 7d, or a time",
    })
    .option("all-dead", { type: "boolean", default: false, describe: "All dead letters" })
    .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" });

/** `hotbags messages …`. */
export const messageLines =
  ({ asking, changing }: Context) =>
  (program: Argv) =>
    program
      .command(
        "list",
        "Messages, newest first",
        (options) => list(options, MESSAGE_STATES),
        asking((operator, args, output) => listMessages(operator, args, output)),
      )
      .command(
        "show <id>",
        "The whole life of one message",
        (options) =>
          content(
            common(options).positional("id", {
              type: "string",
              demandOption: true,
              describe: "Its number, or its message_id",
            }),
          ).example("$0 messages show 17", "By its number, as a list shows it"),
        asking(
          (operator, { id, content }, output) => showMessage(operator, id, content, output),
          // That somebody reads it is written down.
          ({ content }) => content,
        ),
      )
      .command(
        "retry [ids..]",
        "Send dead letters again: with their own keys, in their places",
        choice,
        changing((operator, args, output) => repairMessages(operator, "retry", args, output)),
      )
      .command(
        "discard [ids..]",
        "Be done with dead letters: their texts and files are deleted, their keys stay",
        choice,
        changing((operator, args, output) => repairMessages(operator, "discard", args, output)),
      )
      .example("$0 messages list --state dead --since 2h", "What became a dead letter")
      .example("$0 messages retry --dead-since 1d", "Send it again, once Hot Bags is mended")
      .demandCommand(1, "say what to do with them: list, show, retry or discard");
