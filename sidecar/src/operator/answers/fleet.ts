import type { ApiParts } from "../running.ts";
import type { fleetRoutes } from "../schemas/fleet.ts";
import type { Answers } from "./answer.ts";
import { isoOrNull } from "./stored.ts";

export function fleetAnswers({ reads }: ApiParts): Answers<keyof typeof fleetRoutes> {
  return {
    fleet: async () => {
      const accounts = await reads.fleet();
      const shown = accounts?.map(({ owner, since, is_beside, ...account }) => {
        return { ...account, sidecar: owner, since: isoOrNull(owner === null ? null : since), beside: is_beside };
      });
      return { shared: accounts !== null, accounts: shown ?? [] };
    },
  };
}
