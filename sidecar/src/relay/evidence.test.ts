import { describe, expect, it } from "vitest";
import { Evidence } from "./evidence.ts";

const REFUSED = { scope: "maybe", patience: 1 } as const;
const UNWELL = { scope: "maybe", patience: 3 } as const;
const RUNNING = { scope: "nothing", patience: 2 } as const;
const NO_WAY = { scope: "certain", patience: Number.POSITIVE_INFINITY } as const;

function fail(evidence: Evidence, seq: number, weight: Parameters<Evidence["failed"]>[1], isAside = false) {
  return evidence.failed(seq, weight, evidence.passes, isAside);
}

describe("evidence", () => {
  it("of one failure is none", () => {
    expect(fail(new Evidence(), 1, REFUSED)).toBe("unknown");
  });

  it("is against the deployment when different messages fail and none passes, whatever they failed by", () => {
    const it = new Evidence();
    fail(it, 1, REFUSED);
    expect(fail(it, 2, UNWELL)).toBe("deployment");
  });

  it("is not, when one has passed between them", () => {
    const it = new Evidence();
    fail(it, 1, UNWELL);
    it.passed(3);
    expect(fail(it, 2, UNWELL)).toBe("unknown");
  });

  it("is against a message when it fails again after others have passed, as often as it may", () => {
    const it = new Evidence();
    const findings = [1, 2, 3, 4].map(() => {
      const finding = fail(it, 1, UNWELL);
      it.passed(7);
      return finding;
    });
    expect(findings).toEqual(["unknown", "unknown", "unknown", "message"]);
  });

  it("is against each of two messages that fail by themselves and would vouch for each other", () => {
    const it = new Evidence();
    expect([fail(it, 1, REFUSED), fail(it, 2, REFUSED)]).toEqual(["unknown", "deployment"]);
    it.passed(7);
    expect([fail(it, 1, REFUSED), fail(it, 2, REFUSED)]).toEqual(["message", "message"]);
  });

  it("is not against a message for what it failed by while the deployment did, if it passes afterwards", () => {
    const it = new Evidence();
    for (let n = 0; n < 10; n++) for (const seq of [1, 2, 3]) fail(it, seq, UNWELL);
    for (const seq of [3, 1, 2]) it.passed(seq);
    expect([fail(it, 4, UNWELL), it.against]).toEqual(["unknown", 1]);
  });

  it("is of a lone message when it fails again and again and there was no other", () => {
    const it = new Evidence();
    expect([1, 2, 3, 4, 5].map(() => fail(it, 1, UNWELL))).toEqual([
      ...["unknown", "unknown", "unknown"],
      ...["alone", "alone"],
    ]);
  });

  it("is never against the deployment from a message that was found at fault, nor from one that takes its time", () => {
    const it = new Evidence();
    fail(it, 1, REFUSED, true);
    fail(it, 2, RUNNING);
    expect(fail(it, 3, UNWELL)).toBe("unknown");
    expect(fail(it, 1, REFUSED, true)).toBe("message");
  });

  it("is not against the deployment from a message during which others passed: it is slow", () => {
    const it = new Evidence();
    const begun = it.passes;
    it.passed(7);
    it.failed(1, UNWELL, begun, false);
    expect(it.failed(2, UNWELL, begun, false)).toBe("unknown");
  });

  it("is against the deployment at once where no message can be the cause", () => {
    expect(fail(new Evidence(), 1, NO_WAY, true)).toBe("deployment");
  });

  it("is against a message whose witness has passed when it fails once more, and not when it passes", () => {
    const it = new Evidence();
    for (const seq of [1, 2]) for (let n = 0; n < 2; n++) fail(it, seq, UNWELL);
    it.passed(7);
    for (const seq of [1, 2]) it.suspect(seq);
    it.passed(1);
    expect([fail(it, 2, UNWELL), fail(it, 1, UNWELL)]).toEqual(["message", "unknown"]);
  });

  it("tells whether all that failed are of one chat", () => {
    const it = new Evidence();
    const failed = (seq: number, chat: number) => it.failed(seq, UNWELL, it.passes, false, chat);
    expect([failed(1, 7), failed(2, 7), it.isAgainstOneChat]).toEqual(["unknown", "deployment", true]);
    expect([failed(3, 8), it.isAgainstOneChat]).toEqual(["deployment", false]);
  });

  it("of a lone message begins anew when another one has passed", () => {
    const it = new Evidence();
    for (let n = 0; n < 5; n++) fail(it, 1, UNWELL);
    it.passed(7);
    expect([1, 2, 3, 4].map(() => fail(it, 1, UNWELL))).toEqual(["unknown", "unknown", "unknown", "alone"]);
  });
});
