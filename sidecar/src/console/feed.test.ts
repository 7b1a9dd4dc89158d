import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, messageOf } from "../../../test/sidecar/message.ts";
import { ask, begin, clock, door, end, follow, loggedIn, store, told } from "../../../test/sidecar/open-console.ts";
import { until } from "../../../test/until.ts";
import { IDLE_MS } from "../store/index.ts";
import { HEARTBEAT_MS, LOOK_MS } from "./feed.ts";

beforeEach(begin);
afterEach(end);

describe("an open page", () => {
  it("is told how it is and what happens, masked, and nothing is listened to once it is closed", async () => {
    expect(told.listeners).toBe(0);
    const page = await follow(await loggedIn("look"));
    await until("it knows how it is", () => page.text.includes('event: health\ndata: {"answered":"yes"}\n\n'));
    await store.messages.accept(messageOf(`A-${ANNA}`));
    await until("it has heard", () => page.text.includes('"what":"accepted"'));
    expect(page.text).toMatch(/event: change\ndata: \{.*"chat":"\+1555…01".*\}\n\n/);
    expect(page.text).not.toContain(ANNA);
    told.health = { answered: "no" };
    clock.advance(LOOK_MS);
    await until("it knows", () => page.text.includes('event: health\ndata: {"answered":"no"}\n\n'));
    expect(told.listeners).toBe(1);
    page.close();
    await until("nobody listens", () => told.listeners === 0);
    const { looks } = told;
    clock.advance(4 * HEARTBEAT_MS);
    expect(told.looks).toBe(looks);
  });

  it("is one of twenty, which listen as one", async () => {
    const cookie = await loggedIn("look");
    const pages = await Promise.all(Array.from({ length: 20 }, () => follow(cookie)));
    await store.messages.accept(messageOf("A"));
    await until("all have heard", () => pages.every((page) => page.text.includes('"what":"accepted"')));
    expect(told.listeners).toBe(1);
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(200);
  });

  it("hears nothing more once its session is ended, wherever that was done", async () => {
    const cookie = await loggedIn("look");
    const page = await follow(cookie);
    const other = await follow(await loggedIn("look", "ben"));
    const mine = (await store.console.sessions()).find(({ user }) => user === "anna");
    await door.endSession(mine?.id ?? 0, "root");
    await until("it is over", () => page.isOver);
    expect((await follow(cookie)).status).toBe(401);
    await store.messages.accept(messageOf("A"));
    await until("the other hears on", () => other.text.includes('"what":"accepted"'));
    expect(page.text).not.toContain("accepted");
    const again = await follow(await loggedIn("look"));
    await door.stop();
    await until("all are over", () => again.isOver && other.isOver);
  });

  it("hears at least every 15 seconds that it is connected, which keeps its session", async () => {
    const page = await follow(await loggedIn("look"));
    for (let beats = 1; beats <= 3; beats++) {
      clock.advance(HEARTBEAT_MS);
      await until("it has heard that", () => page.text.split(": still here\n\n").length === beats + 1);
    }
    // Far beyond what one lasts that nobody uses.
    const seenAt = async () => (await store.console.sessions())[0]?.seen_at ?? 0;
    for (let passed = 0; passed < 2 * IDLE_MS; passed += IDLE_MS / 3) {
      const before = await seenAt();
      clock.advance(IDLE_MS / 3);
      await until("its session is used", async () => (await seenAt()) > before);
    }
    expect(page.isOver).toBe(false);
  });

  it("is over at the next heartbeat once its session is, which nobody has ended", async () => {
    const cookie = await loggedIn("look");
    const page = await follow(cookie);
    // The machine was asleep, for example.
    clock.jump(IDLE_MS);
    const other = await follow(await loggedIn("look", "ben"));
    clock.advance(HEARTBEAT_MS);
    await until("it is over", () => page.isOver);
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(401);
    await store.messages.accept(messageOf("A"));
    await until("the other hears on", () => other.text.includes('"what":"accepted"'));
    expect(page.text).not.toContain("accepted");
  });
});
