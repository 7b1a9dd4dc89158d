import { describe, expect, it } from "vitest";
import { complaintOf, inOptions, mistakeIn } from "./complaint.ts";

const HELP = `hotbags messages show <id>

The whole life of one message

Examples:
  hotbags messages show 17  As a list shows it
  hotbags messages show A   By its own id`;

describe("a command line that won't do", () => {
  it.each([
    [
      "an argument that is missing",
      "Not enough non-option arguments: got 0, need at least 1",
      HELP,
      "an argument is missing: hotbags messages show <id>, such as hotbags messages show 17; see hotbags messages show --help",
    ],
    [
      "an option without a value",
      "Not enough arguments following: state-dir",
      "hotbags status\n\nAre customers being answered?",
      "--state-dir wants a value; see hotbags status --help",
    ],
    ["anything else", "Did you\nmean x?", "hotbags <command>\n", "Did you mean x?; see hotbags --help"],
    [
      "a command that there is not",
      "Unknown argument: x",
      "hotbags <command>\n\nCommands:\n  hotbags status",
      "there is no command x; see hotbags --help",
    ],
    [
      "an argument too many",
      "Unknown argument: x",
      HELP,
      "x is an argument too many; see hotbags messages show --help",
    ],
    [
      "an option that there is not",
      "Unknown arguments: dry-rum, dryRum",
      HELP,
      "there is no option --dry-rum; see hotbags messages show --help",
    ],
  ])("names the usage of its command: %s", (_what, message, help, complaint) => {
    expect(complaintOf(message, help, ["messages", "show", "x", "--dry-rum=1"])).toBe(complaint);
  });

  it.each([
    [{ stateDir: "" }, "--state-dir wants a value"],
    [{ limit: [1, 2] }, "--limit is there more than once"],
    [{ _: ["messages", "list"], $0: "hotbags", ids: ["1", "2"], limit: 5, json: false, chat: undefined }, null],
  ])("says which option is wrong: %j", (given, mistake) => {
    expect(mistakeIn(given, new Set(["ids"]))).toBe(mistake);
  });
});

it.each([
  ["state.0: must be some of dead", "--state: must be some of dead"],
  ["chat_id: must be a number; for_seconds: too long", "the chat: must be a number; --for: too long"],
  ["it: must be an object", "it: must be an object"],
])("names options, and not the API's fields: %s", (said, shown) => {
  expect(inOptions(said)).toBe(shown);
});
