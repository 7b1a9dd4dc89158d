import * as z from "zod";
import { accountRoutes } from "./schemas/accounts.ts";
import { alertRoutes } from "./schemas/alerts.ts";
import { auditRoutes } from "./schemas/audit.ts";
import { chatRoutes } from "./schemas/chats.ts";
import { commandRoutes } from "./schemas/commands.ts";
import { consoleRoutes } from "./schemas/console.ts";
import { customerRoutes } from "./schemas/customers.ts";
import { doctorRoutes } from "./schemas/doctor.ts";
import { figureRoutes } from "./schemas/figures.ts";
import { fleetRoutes } from "./schemas/fleet.ts";
import { messageRoutes } from "./schemas/messages.ts";
import { pathRoutes } from "./schemas/path.ts";
import type { Routes } from "./schemas/route.ts";
import { settingsRoutes } from "./schemas/settings.ts";
import { statusRoutes } from "./schemas/status.ts";

// The operator API's requests and answers, a file of schemas/ for each subject. docs/operator-api.md is made from these.

export type { Account, LoginState } from "./schemas/accounts.ts";
export type { Alert, TestedChannel } from "./schemas/alerts.ts";
export type { AuditEntry } from "./schemas/audit.ts";
export type { PausedChat } from "./schemas/chats.ts";
export { COMMAND_STATES, type Command, type RepairResult } from "./schemas/commands.ts";
export { type ConsoleSession, ROLES } from "./schemas/console.ts";
export type { NamedFinding } from "./schemas/doctor.ts";
export { EVENTS, type EventFilter, type LiveEvent } from "./schemas/events.ts";
export { RANGES } from "./schemas/figures.ts";
export type { FleetAccount } from "./schemas/fleet.ts";
export { MAX_IDS, MESSAGE_STATES, type Message, type WholeMessage } from "./schemas/messages.ts";
export { MAX_LIMIT } from "./schemas/values.ts";

/** Before every path. A change that breaks a reader gets another number. */
export const API_PREFIX = "/api/v1";

/** What an answer is that is not the one asked for. */
export const refusal = z.object({ error: z.string() });

/** All that can be asked. */
export const ROUTES = {
  ...statusRoutes,
  ...pathRoutes,
  ...fleetRoutes,
  ...figureRoutes,
  ...messageRoutes,
  ...commandRoutes,
  ...chatRoutes,
  ...settingsRoutes,
  ...doctorRoutes,
  ...accountRoutes,
  ...alertRoutes,
  ...customerRoutes,
  ...auditRoutes,
  ...consoleRoutes,
} as const satisfies Routes;

export type RouteName = keyof typeof ROUTES;
export type Input<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["input"]>;
export type Output<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["output"]>;
/** As it is written into a query or a body. */
export type RawInput<Name extends RouteName> = z.input<(typeof ROUTES)[Name]["input"]>;
