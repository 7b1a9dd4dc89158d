/** How far back each choice looks, ms. */
export const SPANS = { hour: 3_600_000, day: 86_400_000, week: 7 * 86_400_000 } as const;
export type Span = keyof typeof SPANS;

/** As it stands in the address. */
export interface Filter {
  state: string;
  account: string;
  span: string;
  search: string;
  before: string;
}

export function readFilter(query: URLSearchParams): Filter {
  const of = (name: string) => query.get(name) ?? "";
  return { state: of("state"), account: of("account"), span: of("span"), search: of("search"), before: of("before") };
}
