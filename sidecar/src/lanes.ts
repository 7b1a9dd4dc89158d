interface Lane {
  dueAt: number;
  /** Taken and not yet given back: its next item waits until this one is done. */
  busy: boolean;
}

interface Entry {
  lane: number;
  dueAt: number;
}

/**
 * Which chat may go next. A lane is a chat with work; at most one item of a lane is out at a time, so a chat keeps its order,
 * and no chat waits for another. Holds one small entry a lane, however long the lane: the items themselves stay in the store.
 * Costs O(log lanes) a step. Times are monotonic ms.
 */
export class Lanes {
  readonly #lanes = new Map<number, Lane>();
  /** Binary min-heap by `dueAt`. An entry that no longer matches its lane is stale and is skipped when it comes up. */
  #heap: Entry[] = [];

  get size(): number {
    return this.#lanes.size;
  }

  has(lane: number): boolean {
    return this.#lanes.has(lane);
  }

  /** The lane has work from `dueAt` on. A lane that is known already keeps its place, or moves forward if this is earlier. */
  offer(lane: number, dueAt: number): void {
    const known = this.#lanes.get(lane);
    if (known?.busy) return;
    if (known && known.dueAt <= dueAt) return;
    this.#lanes.set(lane, { dueAt, busy: false });
    this.#push({ lane, dueAt });
  }

  /** The next lane that is due, now marked busy; `undefined` when none is. Give it back with `again` or `empty`. */
  take(now: number): number | undefined {
    const top = this.#top();
    if (top === undefined || top.dueAt > now) return undefined;
    this.#pop();
    const lane = this.#lanes.get(top.lane);
    if (lane) lane.busy = true;
    return top.lane;
  }

  /** The lane that was taken has more work, or the same again, from `dueAt` on. */
  again(lane: number, dueAt: number): void {
    this.#lanes.set(lane, { dueAt, busy: false });
    this.#push({ lane, dueAt });
  }

  /** The lane that was taken has no more work. */
  empty(lane: number): void {
    this.#lanes.delete(lane);
  }

  /** When the next lane is due; `undefined` when none waits. */
  nextDueAt(): number | undefined {
    return this.#top()?.dueAt;
  }

  /** Makes every waiting lane due at once, oldest wish first: what they waited for is over. */
  release(now: number): void {
    const waiting = [...this.#lanes].filter(([, lane]) => !lane.busy).sort(([, a], [, b]) => a.dueAt - b.dueAt);
    this.#heap = [];
    for (const [id, lane] of waiting) {
      lane.dueAt = Math.min(lane.dueAt, now);
      this.#push({ lane: id, dueAt: lane.dueAt });
    }
  }

  #top(): Entry | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      const lane = this.#lanes.get(top.lane);
      if (lane && !lane.busy && lane.dueAt === top.dueAt) return top;
      this.#pop();
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || parent.dueAt <= entry.dueAt) break;
      heap[at] = parent;
      heap[up] = entry;
      at = up;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    heap[0] = last;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) return;
      const right = heap[child + 1];
      const least = right !== undefined && right.dueAt < left.dueAt ? right : left;
      if (least === right) child += 1;
      if (least.dueAt >= last.dueAt) return;
      heap[at] = least;
      heap[child] = last;
      at = child;
    }
  }
}
