import type { Alarm } from "../relay/judge.ts";
import type { Alert } from "./alert.ts";

/** What the operator is told when Hot Bags takes no message. `at`: wall-clock ms. */
export function hotBagsAlert({ text, fault, status }: Alarm, at: number): Alert {
  return { id: `hot_bags-${at}`, kind: "hot_bags", text, details: { fault, status } };
}
