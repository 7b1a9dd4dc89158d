import type { Command, InboundRequest } from "@hotbags/contract";

/** A command without its id, which it gets where it is stored. */
export type Decision = Command extends infer One ? (One extends Command ? Omit<One, "command_id"> : never) : never;

/** What the shop answers: yours to write. It is asked once for a message, inside of the transaction that stores it. */
export async function decide(message: InboundRequest): Promise<Decision[]> {
  const heard = message.text.slice(0, 200).toWellFormed();
  return [{ type: "send_text", text: heard === "" ? "Thank you, we got it." : `Thank you, we got: ${heard}` }];
}
