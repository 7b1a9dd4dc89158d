/**
 * What a customer may well write and OpenClaw, left alone, takes for a command or answers itself; and an ordinary message. Only
 * `/approve` is still OpenClaw's on the example's configuration: no claim hook sees it, and the plugin gets it by `message_received`.
 */
export const COMMAND_WORDS = [
  "stop",
  "exit",
  "pare",
  "/status",
  "/new",
  "/help",
  "/approve x",
  "good morning",
] as const;
