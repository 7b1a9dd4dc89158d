import type { Input, Output, RouteName } from "../schemas.ts";

/** Answers to the routes of one subject. `id`: of the path. `who`: the system user. They reject with OperatorError. */
export type Answers<Names extends RouteName> = {
  [Name in Names]: (input: Input<Name>, id: number, who: string) => Promise<Output<Name>>;
};
