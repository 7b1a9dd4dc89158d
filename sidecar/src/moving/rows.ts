import { keyOf, type MovedTable, type MovingRoom, type Row } from "../store/index.ts";

/** The rows of a table in their order, a page in memory at a time. */
export async function* pagesOf(room: MovingRoom, table: MovedTable, behind: Row | null = null): AsyncGenerator<Row[]> {
  for (let after = behind; ; ) {
    const page = await room.page(table, after);
    const last = page.at(-1);
    if (!last) return;
    after = keyOf(table, last);
    yield page;
  }
}

/** One row after the other; undefined: there is no more. */
export class RowReader {
  readonly #pages: AsyncGenerator<Row[]>;
  #page: Row[] = [];
  #n = 0;

  constructor(room: MovingRoom, table: MovedTable) {
    this.#pages = pagesOf(room, table);
  }

  /** Whether there is one without a further page. */
  get hasNext(): boolean {
    return this.#n < this.#page.length;
  }

  take(): Row | undefined {
    return this.#page[this.#n++];
  }

  async fill(): Promise<void> {
    const { value, done } = await this.#pages.next();
    this.#page = done ? [] : value;
    this.#n = 0;
  }
}
