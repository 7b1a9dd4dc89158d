import { expect, it } from "vitest";
import { runHotbags } from "../../shop/hotbags-command.ts";
import { shop } from "./shop.ts";

interface Finding {
  check: string;
  level: string;
  seen: string;
}

it("finds nothing wrong with an installation as it should be, and creates nothing at Hot Bags", async () => {
  await shop.healthy();
  const requests = shop.hotbags.requests.length;
  const { code, stdout } = await runHotbags(shop.stateDir, "doctor", "--json");
  const findings: Finding[] = JSON.parse(stdout);
  // Nobody has set a way, nor a heartbeat: it is a shop of a test.
  expect(findings.filter(({ level }) => level !== "ok").map(({ check }) => check)).toEqual(["alerts", "alerts"]);
  expect(code).toBe(0);
  const seen = (check: string) => findings.filter((finding) => finding.check === check).map((finding) => finding.seen);
  expect(seen("WhatsApp")).toEqual([
    "account default: WhatsApp is connected.",
    "account outlet: WhatsApp is connected.",
  ]);
  expect(seen("OpenClaw")).toEqual([`${shop.gateway.configPath} has all that openclaw.json.example has`]);
  expect(shop.hotbags.requests).toHaveLength(requests);
  expect(shop.hotbags.pings.slice(-2)).toEqual([204, 401]);
});
