import { examples } from "@hotbags/contract";
import { type RequestBody, requestBody } from "@hotbags/shared";
import { expect, it } from "vitest";
import { anonymise } from "./anonymise.ts";

const message: RequestBody = {
  message_id: "3EB0SECRETID",
  chat_id: "+4915112345678",
  from: "+4915112345678",
  text: "Ärger mit Bestellung 4711:\r\n👜 Anna.Muster@mail.example مرحبا e\u0301",
  media: [
    {
      ...{ type: "document", mime_type: "application/pdf", file_name: "Rechnung Anna 2026.pdf", size_bytes: 5 },
      ...{ sha256: "ab".repeat(32), data_base64: "SGVsbG8=" },
    },
  ],
  timestamp: "2026-11-03T07:31:12.345Z",
  raw: {
    ...{ SenderName: "Anna Muster", SenderE164: "+4915112345678", To: "+4930111222333", ChatType: "direct" },
    ...{ Timestamp: 1767607200123, ReplyToId: "3EB0OTHER", "+4915112345678": true, WasMentioned: false },
    ChannelStructuredContext: [{ type: "contact", payload: { contacts: [{ name: "Ben", phones: ["0151 999"] }] } }],
  },
  transport_session_id: "whatsapp:outlet",
};

it("has nothing of a person left, and all that a backend can fail by", () => {
  const made = anonymise(message);
  expect(JSON.stringify(made)).not.toMatch(
    /Anna|Muster|Bestellung|4711|1511234|3011122|SECRETID|OTHER|Ben"|0151|outlet|31:12|SGVsbG8|Rechnung|1767607/,
  );
  expect(made.text).toBe("Xxxxx xxx Xxxxxxxxxx 0000:\r\n👜 Xxxx.Xxxxxx@xxxx.xxxxxxx xxxxx x\u0301");
  expect(made.media[0]).toMatchObject({ file_name: "Xxxxxxxx Xxxx 0000.pdf", size_bytes: 5, data_base64: "AAAAAAA=" });
  expect(made.raw).toMatchObject({ ChatType: "direct", WasMentioned: false, SenderName: "Xxxx Xxxxxx" });
  // One number is one number, and another is another.
  expect(made.raw["SenderE164"]).toBe(made.from);
  expect(made.raw["To"]).not.toBe(made.from);
  expect(requestBody.parse(made)).toEqual(made);
});

it.each(Object.entries(examples))("is a message of the contract again: %s", (_, example) => {
  const made = anonymise(requestBody.parse(example));
  expect(requestBody.parse(made)).toEqual(made);
  expect(Object.keys(made.raw)).toEqual(Object.keys(example.raw));
});
