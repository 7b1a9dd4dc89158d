import { e164, shownVersion } from "@hotbags/shared";
import * as z from "zod";
import { accountStatus } from "./account.ts";

/** What we read of the gateway's answers. Loose: OpenClaw adds fields from release to release, and only these carry decisions. */

/** `bootId` is optional in the protocol; without it no process can be recognised, so nothing is ever asked again. */
export const helloOk = z.looseObject({
  server: z.looseObject({
    version: z.string().max(64).catch("unknown").transform(shownVersion),
    bootId: z.string().min(1).max(96).optional().catch(undefined),
  }),
  auth: z
    .looseObject({ scopes: z.array(z.string()) })
    .optional()
    .catch(undefined),
  snapshot: z
    .looseObject({ sessionDefaults: z.looseObject({ defaultAgentId: z.string().min(1) }) })
    .optional()
    .catch(undefined),
});
export type HelloOk = z.infer<typeof helloOk>;

export const channelsStatus = z.looseObject({
  channelAccounts: z.looseObject({ whatsapp: z.array(accountStatus).optional() }),
  /** Which account `channels` speaks of. */
  channelDefaultAccountId: z.looseObject({ whatsapp: z.string().optional() }).optional().catch(undefined),
  /** The number in the credentials on disk, read anew for each answer. */
  channels: z
    .looseObject({ whatsapp: z.looseObject({ self: z.looseObject({ e164 }) }).optional() })
    .optional()
    .catch(undefined),
});

/** The phone number of an account, as far as the gateway tells it; else null. */
export function numberOf({ channels, channelDefaultAccountId }: z.infer<typeof channelsStatus>, accountId: string) {
  if (channelDefaultAccountId?.whatsapp !== accountId) return null;
  return channels?.whatsapp?.self.e164 ?? null;
}

/** `messageId` is the WhatsApp id of the last message that the text became. */
export const sendAnswer = z.looseObject({ messageId: z.string().min(1).nullish().catch(null) });

/** `started` says whether the account runs now; WhatsApp's connection comes later and is seen in the status. */
export const startAnswer = z.looseObject({ started: z.boolean() });

/** The plugins that are installed, and others that could be. */
export const pluginsList = z.looseObject({
  plugins: z.array(z.looseObject({ id: z.string(), version: z.string().max(64).optional().catch(undefined) })),
});

/** `parsed` is what the file says; `config` has OpenClaw's defaults besides. */
export const configAnswer = z.looseObject({
  path: z.string().nullish().catch(null),
  parsed: z.record(z.string(), z.unknown()).nullish().catch(null),
  config: z.record(z.string(), z.unknown()).nullish().catch(null),
});

/** Of `web.login.start` and `web.login.wait`. Without a code and not connected, the message says why. */
export const loginAnswer = z.looseObject({
  connected: z.boolean().optional().catch(undefined),
  qrDataUrl: z
    .string()
    .max(50_000)
    .regex(/^data:image\/png;base64,[A-Za-z0-9+/=]+$/)
    .optional(),
  message: z.string().max(2_000).catch(""),
});

export const chatHistory = z.looseObject({ messages: z.array(z.unknown()) });

/** A row that OpenClaw wrote for something it delivered. The key stands at either place (observed on 2026.9.6). */
export const deliveredRow = z.looseObject({
  role: z.literal("assistant"),
  idempotencyKey: z.string().optional(),
  __openclaw: z.looseObject({ idempotencyKey: z.string().optional() }).optional(),
});
