import type { RequestBody } from "@hotbags/shared";

/** Nobody's number: 555-0100 to 555-0199 are kept for fiction (NANP). */
export const TEST_NUMBER = "+12025550143";
export const TEST_GROUP = "120363000000000143@g.us";
const TEST_ACCOUNT = "contract-check";

/** Before each text, so that whoever finds one in a database knows what it is. */
const MARK = "[contract check: a test, nobody wrote this]";

/** The example as a message of the test chat, under an id of its own. `now`: Unix ms. */
export function testMessage(example: RequestBody, id: string, now: number): RequestBody {
  const chat = example.chat_id.endsWith("@g.us") ? TEST_GROUP : TEST_NUMBER;
  return {
    ...example,
    message_id: id,
    chat_id: chat,
    from: TEST_NUMBER,
    text: example.text === "" ? "" : `${MARK} ${example.text}`,
    timestamp: new Date(now).toISOString(),
    raw: {
      ...example.raw,
      ...{
        AccountId: TEST_ACCOUNT,
        MessageSid: id,
        ChatId: chat,
        SenderE164: TEST_NUMBER,
        SenderName: "Contract Check",
      },
      ...{ Timestamp: now, _contract_check: true },
    },
    transport_session_id: `whatsapp:${TEST_ACCOUNT}`,
  };
}
