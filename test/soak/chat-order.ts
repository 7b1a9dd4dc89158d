/** A message, and the chat it is of. */
export interface InChat {
  chat: string;
  id: string;
}

/** Chats in which the messages don't come in the order of `ids`. One that isn't among them has no place: its line was lost in a kill. */
export function disordered(messages: readonly InChat[], ids: readonly string[]): string[] {
  const place = new Map(ids.map((id, index) => [id, index]));
  const last = new Map<string, number>();
  const chats = new Set<string>();
  for (const { chat, id } of messages) {
    const index = place.get(id);
    if (index === undefined) continue;
    if (index < (last.get(chat) ?? -1)) chats.add(chat);
    last.set(chat, index);
  }
  return [...chats];
}

/**
 * The messages as they would have come without witnesses, and the witnesses' ids. By docs/limits.md a message may come
 * right before those ahead of it in its chat that had failed again and again, and pass at once when it has passed: nothing
 * else counts as one. `ids`: the order in which they were written. `failing`: messages that failed more than once.
 */
export function withoutWitnesses(
  messages: readonly InChat[],
  ids: readonly string[],
  failing: ReadonlySet<string>,
): { messages: InChat[]; witnesses: string[] } {
  const witnesses: string[] = [];
  const all = [...Map.groupBy(messages, ({ chat }) => chat)].flatMap(([chat, itsMessages]) => {
    const came = itsMessages.map(({ id }) => id);
    const written = ids.filter((id) => came.includes(id));
    for (const [index, witness] of came.entries()) {
      const place = written.indexOf(witness);
      const ahead = written.slice(written.indexOf(came[index + 1] ?? witness), Math.max(0, place));
      const isNext = ahead.length > 0 && ahead.every((id, n) => came[index + 1 + n] === id);
      if (!isNext || !ahead.every((id) => failing.has(id))) continue;
      came.splice(index, ahead.length + 1, ...ahead, witness);
      witnesses.push(witness);
    }
    return came.map((id) => ({ chat, id }));
  });
  return { messages: all, witnesses };
}
