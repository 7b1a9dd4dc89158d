import { computed, signal } from "@preact/signals";
import type { Session } from "../api/answers.ts";
import { ApiError, api } from "../api/client.ts";

/** Undefined: not known yet; null: nobody is logged in. */
export const session = signal<Session | null | undefined>(undefined);

/** Why that can't be known now, where the sidecar says so: its database is away. */
export const sessionProblem = signal<string | null>(null);

/** Whether somebody was, so that the login page says that it is over. */
export const hasExpired = signal(false);

/** Why a link did not let anybody in: it is wrong, or what the sidecar says. */
export const linkProblem = signal<{ isWrong: boolean; why: string } | null>(null);

/** Whether what changes something is offered. The sidecar judges it in any case. */
export const canAct = computed(() => session.value?.role === "act" && !session.value.read_only);

/** Tells the browser's other tabs that somebody has logged in, so that they go on where they were. */
const tabs = new BroadcastChannel("hotbags-session");
tabs.onmessage = () => void askSession();

/** Asks who is logged in; what can't be reached leaves it as it was. */
export async function askSession(): Promise<void> {
  try {
    session.value = await api.session();
    sessionProblem.value = null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    sessionProblem.value = error.status === 0 || error.status === 401 ? null : error.message;
    if (error.status === 401) expire();
  }
}

/** By the token of a one-time link. */
export async function logIn(token: string): Promise<void> {
  try {
    session.value = await api.logIn(token);
    linkProblem.value = null;
    tabs.postMessage("logged in");
  } catch (error) {
    const isWrong = error instanceof ApiError && error.status === 401;
    linkProblem.value = { isWrong, why: error instanceof Error ? error.message : String(error) };
    await askSession();
  }
}

/** Rejects with ApiError where it is not known whether the session is over. One that was over already is. */
export async function logOut(): Promise<void> {
  await api.logOut().catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  });
  session.value = null;
  hasExpired.value = false;
  tabs.postMessage("logged out");
}

/** Nobody is logged in any more. Where one was stays in the address. */
export function expire(): void {
  if (session.value) hasExpired.value = true;
  session.value = null;
}
