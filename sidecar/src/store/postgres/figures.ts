import type { FigureStore } from "../figures.ts";
import { beginOf, type Figure, RINGS, STEPS, type Step } from "../figures.ts";
import { addBeside, addTally, readTally, type Tally, writeTally } from "../tally.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FencedOffError } from "./lease.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** What passed, of one account, or of all together. */
export class FigureReads implements FigureReads {
  readonly #db: Queries;
  readonly #account: string | null;

  /** `account`: null: of all that there are, whoever owns them. */
  constructor(db: Queries, account: string | null) {
    this.#db = db;
    this.#account = account;
  }

  /** Steps that began from `from` to `to`, s since 1970, in any order. One in which nobody counted is missing. */
  async between(step: Step, from: number, to: number): Promise<Figure[]> {
    const { first, length } = RINGS[step];
    // By the accounts' names, so that the index of their rows is used.
    const these = this.#account === null ? "SELECT account_id FROM leases" : "SELECT $5::text";
    const rows = await this.#db.rows<{ at: number; tally: string }>(
      `SELECT at, tally FROM figures WHERE account_id = ANY (ARRAY(${these})) AND place >= $1 AND place < $2 AND at >= $3 AND at <= $4`,
      ...[first, first + length, Math.ceil(from), Math.floor(to)],
      ...(this.#account === null ? [] : [this.#account]),
    );
    const figures = new Map<number, Figure>();
    for (const { at, tally } of rows) {
      const read = readTally(tally);
      const other = figures.get(at);
      if (read && other) addBeside(other.tally, read);
      else if (read) figures.set(at, { at, tally: read });
    }
    return [...figures.values()];
  }
}

/** What passes of one account, with the verbs of the embedded store: see there. */
export class FigureRecords extends FigureReads implements FigureStore {
  readonly #batches: Batches;
  readonly #written: string;

  constructor(db: Queries, batches: Batches, account: string) {
    super(db, account);
    this.#batches = batches;
    this.#written = account;
  }

  /** See there. Rejects when the store can't write, or with FencedOffError. */
  async add(at: number, tally: Tally, before: number | null, withdrawn: number | null): Promise<void> {
    await this.#batches.run(ADDED, { account: this.#written, at, tally, before, withdrawn });
  }
}

interface Added {
  account: string;
  at: number;
  tally: Tally;
  before: number | null;
  withdrawn: number | null;
}

const ADDED: Verb<Added, void> = {
  name: "figures",
  keyOf: ({ account }) => `figures ${account}`,
  async write(writing, inputs) {
    refuse(inputs, ({ account }) => (writing.owns(account) ? undefined : new FencedOffError(account)));
    for (const input of inputs) await add(writing, input);
    return inputs.map(() => undefined);
  },
};

async function add(writing: Writing, { account, at, tally, before, withdrawn }: Added): Promise<void> {
  if (withdrawn !== null)
    await writing.rows(
      "DELETE FROM figures WHERE account_id = $1 AND at > $2 AND at <= $3",
      ...[account, Math.floor(at), Math.floor(withdrawn)],
    );
  const places = STEPS.map((step) => {
    const begin = beginOf(at, step);
    const place = RINGS[step].first + ((begin / step) % RINGS[step].length);
    return { begin, place, goesOn: before === null || beginOf(before, step) === begin };
  });
  const rows = await writing.rows<{ place: number; at: number; tally: string }>(
    "SELECT place, at, tally FROM figures WHERE account_id = $1 AND place = ANY ($2)",
    ...[account, places.map(({ place }) => place)],
  );
  const written = places.map(({ begin, place, goesOn }) => {
    const row = goesOn ? rows.find((one) => one.place === place && one.at === begin) : undefined;
    const whole = row ? readTally(row.tally) : null;
    if (whole === null) return writeTally(tally);
    addTally(whole, tally);
    return writeTally(whole);
  });
  await writing.rows(
    `INSERT INTO figures SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[])
     ON CONFLICT (account_id, place) DO UPDATE SET at = excluded.at, tally = excluded.tally`,
    account,
    places.map(({ place }) => place),
    places.map(({ begin }) => begin),
    written,
  );
}
