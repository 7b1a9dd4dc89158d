import { randomBytes } from "node:crypto";
import type { Content } from "./content.ts";

/** A question with answers to choose one of. */
export function poll(question: string, answers: readonly string[]): Content {
  const options = answers.map((optionName) => ({ optionName }));
  const message = {
    // Votes are encrypted with it.
    messageContextInfo: { messageSecret: randomBytes(32) },
    pollCreationMessageV3: { name: question, options, selectableOptionsCount: 1 },
  };
  return { message, type: "poll", text: question };
}
