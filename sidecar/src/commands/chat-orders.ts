import { MAX_PAUSE_SECONDS, pauseReplies } from "@hotbags/shared";
import * as z from "zod";
import { commandId } from "./command-id.ts";
import { defineKind } from "./kind.ts";

// Commands about the chat itself: done as soon as they are recorded, and nothing is sent.

const PAUSE_SECONDS = `for_seconds must be a whole number from 1 to ${MAX_PAUSE_SECONDS}`;

/**
 * Somebody else answers in this chat for a while. A duration and no time of day: the clocks of two machines differ, and
 * one of them may be wrong.
 */
export const pauseChat = defineKind({
  title: "PauseChat",
  schema: z
    .looseObject({
      command_id: commandId,
      type: z.literal("pause_chat"),
      for_seconds: z
        .int(PAUSE_SECONDS)
        .min(1, PAUSE_SECONDS)
        .max(MAX_PAUSE_SECONDS, PAUSE_SECONDS)
        .describe("How long, from when the bridge has the answer on."),
      replies: pauseReplies
        .default("hold")
        .describe("What becomes of the replies that are given meanwhile: they wait, or are never sent."),
    })
    .describe("Let no reply out in this chat for a while, because somebody else answers there."),
  record: ({ type, for_seconds, replies }) => ({
    text: null,
    payload: JSON.stringify([type, for_seconds, replies]),
    order: { kind: "pause", forMs: for_seconds * 1_000, replies },
  }),
});

export const resumeChat = defineKind({
  title: "ResumeChat",
  schema: z
    .looseObject({ command_id: commandId, type: z.literal("resume_chat") })
    .describe("End what `pause_chat` began."),
  record: ({ type }) => ({ text: null, payload: JSON.stringify([type]), order: { kind: "resume" } }),
});
