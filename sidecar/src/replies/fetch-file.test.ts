import type { RequestListener } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type HttpsServer, startHttpsServer } from "../../../test/https-server.ts";
import { MAX_MEDIA_BYTES } from "../commands/index.ts";
import { FetchError, fetchFile, type Reach } from "./fetch-file.ts";

// A server on loopback stands for one on the internet: there the address is let through, and nowhere else.

let server: HttpsServer;
let onInternet: Reach;

beforeAll(async () => {
  server = await startHttpsServer();
  onInternet = { isAllowed: (address) => address === "127.0.0.1" || address === "::1", ca: server.ca };
});
beforeEach(() => {
  server.asked = [];
  server.answer = (_, response) => response.writeHead(200, { "content-type": "Image/JPEG; q=1" }).end("a picture");
});
afterAll(() => server.close());

const fetchFrom = (path: string, reach?: Reach) =>
  fetchFile(new URL(path, server.origin), new AbortController().signal, reach ?? onInternet);
const failure = async (path: string, reach?: Reach) => {
  const error = await fetchFrom(path, reach).catch((thrown: unknown) => thrown);
  if (!(error instanceof FetchError)) throw new Error(`no FetchError: ${String(error)}`);
  expect(error.message).not.toContain("localhost");
  return [error.message, error.isPassing];
};

describe("a file at a URL", () => {
  it("comes with its type, and nothing of ours is shown", async () => {
    const { bytes, type } = await fetchFrom("/photo.jpg?token=1");
    expect([String(bytes), type]).toEqual(["a picture", "image/jpeg"]);
    expect(server.asked.map(({ path }) => path)).toEqual(["/photo.jpg?token=1"]);
    expect(Object.keys(server.asked[0]?.headers ?? {}).toSorted()).toEqual([
      ...["accept", "accept-encoding", "connection", "host", "user-agent"],
    ]);
  });

  it.each<[string, RequestListener, string, boolean]>([
    ["is not there", (_, to) => to.writeHead(404).end(), "it was answered with 404", false],
    ["is not there now", (_, to) => to.writeHead(503).end(), "it was answered with 503", true],
    ["is empty", (_, to) => to.writeHead(200).end(), "it is empty", false],
    [
      "is compressed",
      (_, to) => to.writeHead(200, { "content-encoding": "gzip" }).end("?"),
      "it comes compressed",
      false,
    ],
    [
      "says that it is too large",
      (_, to) => to.writeHead(200, { "content-length": MAX_MEDIA_BYTES + 1 }).flushHeaders(),
      `it has more than ${MAX_MEDIA_BYTES} bytes`,
      false,
    ],
    ["is cut off", (request, to) => void to.write("?", () => request.socket.destroy()), "the connection failed", true],
  ])("fails where it %s", async (_what, script, message, isPassing) => {
    server.answer = script;
    expect(await failure("/")).toEqual([expect.stringContaining(message), isPassing]);
  });

  it("fails where it goes on beyond the limit", async () => {
    const chunk = Buffer.alloc(1_000_000);
    server.answer = (_, response) => {
      const pour = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", pour);
      pour();
    };
    expect(await failure("/")).toEqual([`it has more than ${MAX_MEDIA_BYTES} bytes`, false]);
  });

  it("is followed through redirects, but not for ever", async () => {
    server.answer = ({ url }, response) =>
      url === "/3"
        ? response.end("a picture")
        : response.writeHead(302, { location: `/${Number(url?.slice(1)) + 1}` }).end();
    expect(String((await fetchFrom("/0")).bytes)).toBe("a picture");
    expect(await failure("/-1")).toEqual(["it redirects more than 3 times", false]);
  });
});

describe("an address that is not of the internet", () => {
  const PRIVATE = ["its address is not of the public internet", false];

  it("is not server.asked, by its name or as a number, in whatever form", async () => {
    const port = new URL(server.origin).port;
    const forms = ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]"];
    for (const host of forms) {
      const error = await fetchFile(new URL(`https://${host}:${port}/`), new AbortController().signal).catch(String);
      expect([host, error]).toEqual([host, `FetchError: ${PRIVATE[0]}`]);
    }
    expect(server.asked).toEqual([]);
  });

  it("is not server.asked after a redirect either", async () => {
    const reach: Reach = { ...onInternet, isAllowed: (address) => address === "127.0.0.1" };
    const to =
      (location: string): RequestListener =>
      (_, response) =>
        response.writeHead(307, { location }).end();
    server.answer = to("https://169.254.169.254/latest/meta-data/");
    expect(await failure("/", reach)).toEqual(PRIVATE);
    server.answer = to("https://[fd00:ec2::254]/");
    expect(await failure("/", reach)).toEqual(PRIVATE);
    server.answer = to("http://localhost/");
    expect(await failure("/", reach)).toEqual(["it redirects to what is not https", false]);
  });
});
