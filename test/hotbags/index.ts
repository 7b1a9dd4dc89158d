import { INBOUND_PATH } from "../../shared/src/contract.ts";
import { type Mock, type MockEvent, startMock } from "../../sidecar/src/contract/mock/mock.ts";
import type { Secrets } from "../../sidecar/src/contract/mock/request.ts";
import { type Arrivals, createArrivals } from "./arrivals.ts";
import { freePort } from "./port.ts";

export type { Fault } from "../../sidecar/src/contract/mock/faults.ts";
export type { AnswerScript, Command, Issued } from "../../sidecar/src/contract/mock/ledger.ts";
export type { Attempt } from "../../sidecar/src/contract/mock/mock.ts";
export type { Message } from "../../sidecar/src/contract/mock/request.ts";
export { INBOUND_PATH };
export type HotBagsEvent = MockEvent;

/** The Hot Bags of `hotbags contract mock`, and what a test asks of it besides. */
export type HotBags = Mock & Pick<Arrivals, "receives">;

/** The mock on a port of its own, unless one is wanted: see `startMock`. */
export async function startHotBags({ port, ...secrets }: Secrets & { port?: number }): Promise<HotBags> {
  const mock = await startMock({ ...secrets, port: port ?? (await freePort()) });
  const arrivals = createArrivals();
  mock.onEvent((event) => {
    if (event.type === "accepted") arrivals.add(event.message);
  });
  return Object.assign(mock, { receives: arrivals.receives });
}
