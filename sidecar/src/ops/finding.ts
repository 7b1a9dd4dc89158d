import { shownId } from "@hotbags/shared";
import type { Condition } from "../alerts/condition.ts";
import type { AccountLook, Look } from "../store/index.ts";

/**
 * One thing that is looked at: whether it is as it should be, and what to do if not. `/health` shows it, and the operator
 * is told of it.
 */
export interface Finding {
  /** What was looked at. */
  readonly name: string;
  /** Whose, where there are several: an account. */
  readonly account?: string;
  readonly ok: boolean;
  readonly value: string | number | boolean | null;
  /** What is the case and what to do, where it is not ok; no customer's text or number. */
  readonly problem: string | null;
  /** What the operator is told of it. Several where it is wrong in several ways. */
  readonly alerts: readonly Condition[];
}

/** A condition that is told at once, and counts nothing, unless said otherwise. */
export function condition(
  kind: Condition["kind"],
  text: string,
  more: Partial<Omit<Condition, "kind" | "text">> = {},
): Condition {
  return { kind, text, subject: "", details: {}, account: null, afterMs: 0, amount: 0, ...more };
}

/** As it should be. */
export function good(name: string, value: Finding["value"], account?: string): Finding {
  return { name, ok: true, value, problem: null, alerts: [], ...(account === undefined ? {} : { account }) };
}

/** Not as it should be. */
export function bad(
  name: string,
  value: Finding["value"],
  problem: string,
  alerts: readonly Condition[],
  account?: string,
): Finding {
  return { name, ok: false, value, problem, alerts, ...(account === undefined ? {} : { account }) };
}

/** What was looked at, each account for itself where they are told apart. */
export function apart(look: Look): readonly (Omit<AccountLook, "account"> & { readonly account: string | null })[] {
  return look.accounts ?? [{ ...look, account: null }];
}

/** That of an account; of the outbox, and of all where they are not told apart, it has no name. */
export function conditionOf(
  { account }: { readonly account: string | null },
  kind: Condition["kind"],
  text: string,
  { subject = "", details = {}, ...more }: Partial<Condition>,
): Condition {
  if (account === null || account === "") return condition(kind, text, { ...more, subject, details, account });
  const id = shownId(account);
  const whose = { subject: subject === "" ? id : `${id} ${subject}`, details: { account: id, ...details }, account };
  return condition(kind, `Account ${id}: ${text}`, { ...more, ...whose });
}
