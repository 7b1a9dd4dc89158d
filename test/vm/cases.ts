import type { Case } from "./case.ts";
import { INSTALL_CASES, UNINSTALL_CASES } from "./install-cases.ts";
import { LIFE_CASES } from "./life-cases.ts";
import { UPGRADE_CASES } from "./upgrade-cases.ts";

/** In the order in which they are run: what one leaves, the next can use. */
export const CASES: readonly Case[] = [...INSTALL_CASES, ...LIFE_CASES, ...UNINSTALL_CASES, ...UPGRADE_CASES];
