import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from "baileys";
import type { Account } from "../account.ts";
import type { Directory } from "../directory.ts";
import { answerGroups } from "./groups.ts";
import { answerKeys } from "./keys.ts";
import { failure, node, result } from "./reply.ts";
import { answerMex } from "./time-lock.ts";
import { answerUsync } from "./usync.ts";

const PRIVACY_CATEGORIES = ["readreceipts", "profile", "status", "online", "last", "groupadd", "calladd"];

/** Answers a client's query; what isn't known gets an empty result. */
export function answerIq(iq: BinaryNode, account: Account, directory: Directory): BinaryNode {
  switch (iq.attrs["xmlns"]) {
    case "encrypt":
      return answerKeys(iq, account, directory);
    case "usync":
      return answerUsync(iq, directory);
    case "w:g2":
      return answerGroups(iq, directory);
    case "abt":
      return result(iq, [node("props", { protocol: "1", hash: "0", refresh: "86400" })]);
    case "blocklist":
      return result(iq, [node("list", { matched: "false" })]);
    case "privacy":
      return iq.attrs["type"] === "set" ? result(iq) : result(iq, [privacy()]);
    case "w:m":
      // The preload turns every upload URL to the double: the host is a name only.
      return result(iq, [
        node("media_conn", { auth: "double", ttl: "3600", auth_ttl: "3600", max_buckets: "12" }, [
          node("host", { hostname: "mmg.whatsapp.net", maxContentLengthBytes: "104857600" }),
        ]),
      ]);
    case "w:profile:picture":
      return failure(iq, 404, "item-not-found");
    case "w:sync:app:state":
      return result(iq, [emptyCollections(iq)]);
    case "w:mex":
      return answerMex(iq, account.timeLock);
    default:
      return result(iq);
  }
}

function privacy(): BinaryNode {
  return node(
    "privacy",
    {},
    PRIVACY_CATEGORIES.map((name) => node("category", { name, value: "all" })),
  );
}

function emptyCollections(iq: BinaryNode): BinaryNode {
  const asked = getBinaryNodeChildren(getBinaryNodeChild(iq, "sync"), "collection");
  const empty = asked.map(({ attrs }) =>
    node("collection", { name: attrs["name"] ?? "", version: attrs["version"] ?? "0" }),
  );
  return node("sync", {}, empty);
}
