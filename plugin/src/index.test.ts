import { TESTED } from "@hotbags/shared";
import { expect, onTestFinished, test } from "vitest";
import entry from "./index.ts";
import { temporaryFolder } from "./testing/folder.ts";
import { memoryLog } from "./testing/log.ts";
import { directContext } from "./testing/messages.ts";
import { ScratchSidecar, TOKEN } from "./testing/sidecar.ts";
import { until } from "./testing/until.ts";

type Api = Parameters<typeof entry.register>[0];
type Service = { start(context: object): unknown; stop(context: object): unknown };

/** What OpenClaw gives a plugin, as far as ours uses it, with what ours then registers. */
async function registered(version: string = TESTED.openclaw) {
  const sidecar = await ScratchSidecar.start();
  const stateDir = temporaryFolder();
  const hooks = new Map<string, (event: unknown, context?: unknown) => unknown>();
  const services: Service[] = [];
  const config = { plugins: { entries: { hotbags: { config: { sidecarUrl: sidecar.url, token: TOKEN } } } } };
  const log = memoryLog();
  const api = {
    registrationMode: "full",
    runtime: { version, state: { resolveStateDir: () => stateDir }, config: { current: () => config } },
    logger: log,
    on: (name: string, hook: (event: unknown) => unknown) => hooks.set(name, hook),
    registerCli: () => {},
    registerReload: () => {},
    registerService: (service: Service) => services.push(service),
    lifecycle: {},
  };
  entry.register(api as unknown as Api);
  const [service] = services;
  if (service === undefined) throw new Error("no service was registered");
  onTestFinished(async () => void (await service.stop({ config })));
  const dispatch = (id: string) => hooks.get("reply_dispatch")?.({ ctx: directContext({ MessageSid: id }) });
  return {
    sidecar,
    hooks,
    log,
    dispatch,
    start: () => service.start({ config }),
    stop: () => service.stop({ config }),
  };
}

test("a service that was stopped can be started again, as often as OpenClaw likes", async () => {
  const { sidecar, log, dispatch, start, stop } = await registered();
  for (let round = 1; round <= 3; round += 1) {
    await start();
    await dispatch(`M${round}`);
    await until(`round ${round} arrived`, () => sidecar.ids.includes(`M${round}`));
    await stop();
    await dispatch(`between${round}`);
  }
  await start();
  await until("what came without a link too", () => sidecar.ids.includes("between3"));
  expect(new Set(sidecar.ids)).toEqual(new Set([1, 2, 3].flatMap((round) => [`M${round}`, `between${round}`])));
  expect(log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
});

test("on an OpenClaw that was not tested it says so, names the one that was, and captures all the same", async () => {
  const { sidecar, log, dispatch, start } = await registered("2099.1.1");
  await start();
  const said = log.lines.filter((line) => line.includes("2099.1.1"));
  expect(said).toEqual([
    expect.stringMatching(new RegExp(`^warn.*tested with ${TESTED.openclaw.replaceAll(".", "\\.")}`)),
  ]);
  await dispatch("M1");
  await until("arrived", () => sidecar.ids.includes("M1"));
});

test("a start while the stop is still under way counts", async () => {
  const { sidecar, dispatch, start, stop } = await registered();
  await start();
  await until("connected", () => sidecar.connections === 1);
  const stopping = stop();
  await start();
  await stopping;
  await dispatch("M1");
  await until("arrived", () => sidecar.ids.includes("M1"));
});

test("no hook throws, whatever it is called with", async () => {
  const { hooks, log, dispatch, sidecar, start } = await registered();
  await start();
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const hook of hooks.values()) {
    for (const odd of [undefined, null, 1, "", [], {}, proxy, { ctx: proxy }, { channelId: "whatsapp" }]) {
      await hook(odd, odd);
      await hook({ ctx: odd, ...(odd === proxy ? {} : { to: odd, content: odd }) }, { channelId: "whatsapp" });
    }
  }
  await dispatch("M1");
  await until("arrived", () => sidecar.ids.includes("M1"));
  expect(log.lines.join()).toContain("OpenClaw's call failed");
});
