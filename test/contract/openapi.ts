import { INBOUND_PATH } from "../../shared/src/contract.ts";
import { MAX_BODY_BYTES } from "../../shared/src/limits.ts";
import { EVENTS_PATH, REPORTS_PATH } from "../../shared/src/report.ts";
import { CONTRACT_VERSION } from "../../shared/src/request.ts";
import { ruleFor } from "../../sidecar/src/relay/rules.ts";
import { ofAnswer } from "../../sidecar/src/relay/symptom.ts";
import { answerSchema, eventSchema, type JsonSchema, reportSchema, requestSchema } from "./schemas.ts";

/** Of the contract, not of the bridge: contract/CHANGELOG.md has an entry for each. */
const DOCUMENT_VERSION = `${CONTRACT_VERSION}.2.0`;

const SHOP = new URL(`https://shop.example${INBOUND_PATH}`);

/** The statuses that have a rule of their own, and those that stand for all others. */
const FAILURES = {
  "3XX": 307,
  "401": 401,
  "403": 403,
  "404": 404,
  "409": 409,
  "413": 413,
  "422": 422,
  "429": 429,
  "4XX": 400,
  "5XX": 500,
} as const;

/** What the bridge makes of each, in the words of its own table. */
function failures(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(FAILURES).map(([range, status]) => {
      const symptom = ofAnswer(status, {}, SHOP);
      const rule = ruleFor(symptom);
      const retried =
        status === 413
          ? "The message goes once more at once, without its files."
          : "The message is tried again, with the same key and the same bytes.";
      const description = `${rule.answer}. ${retried} The operator is told: ${rule.advice(symptom)}.`;
      const headers = range === "429" || range === "5XX" ? { headers: { "Retry-After": RETRY_AFTER } } : {};
      return [range, { description, ...headers }];
    }),
  );
}

const RETRY_AFTER = {
  description: "Whole seconds or an HTTP date. Makes the wait longer, up to 15 minutes, and never shorter.",
  schema: { type: "string" },
};

const header = (name: string, description: string, schema: JsonSchema, required = true) => ({
  name,
  in: "header",
  required,
  description,
  schema,
});

const named = (examples: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));

/** Those of every request. `key`: what its key is. */
const headers = (key: string, session: string) => [
  header("X-HotBags-Contract", "The version of this contract.", { const: String(CONTRACT_VERSION) }),
  header("Idempotency-Key", `${key}: the same for every attempt.`, { type: "string" }),
  header("X-Idempotency-Key", "The same.", { type: "string" }),
  header("X-Transport-Session-Id", session, { type: "string" }),
  header(
    "X-HotBags-Signature",
    "`sha256=` and the HMAC-SHA256 of the raw body in hex; only where signatures are switched on.",
    { type: "string", pattern: "^sha256=[0-9a-f]{64}$" },
    false,
  ),
  header(
    "webhook-id",
    `${key}, as Standard Webhooks has it; only where HOTBAGS_WEBHOOK_SECRET is set.`,
    { type: "string" },
    false,
  ),
  header(
    "webhook-timestamp",
    "When this attempt began, Unix seconds; with `webhook-id`.",
    { type: "string", pattern: "^[0-9]+$" },
    false,
  ),
  header(
    "webhook-signature",
    "`v1,` and the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<raw body>` in base64; two of them, a space between, while the secret is replaced.",
    { type: "string" },
    false,
  ),
  header("Accept-Encoding", "`identity`; what comes compressed all the same is read.", { type: "string" }, false),
  header("User-Agent", "`hotbags-bridge/<version>`.", { type: "string" }),
];

/** What a HEAD has of them: it has no key, and is about no message. */
const OF_PING = /^(x-hotbags-signature|webhook-.*|user-agent|accept-encoding)$/i;

const ping = {
  operationId: "ping",
  summary: "`hotbags doctor` asks whether it would be let in; a backend may do without",
  description: "Signed as a body of no bytes is. A backend that answers 404, 405 or 501 has no ping.",
  parameters: headers("An id of its own", "").filter(({ name }) => OF_PING.test(name)),
  responses: {
    "204": { description: "The token is right, and so is the signature where there is one." },
    "401": { description: "Anybody else." },
  },
};

/** Schemas by their titles; each part that has one as well is a schema of its own, so that generators can name it. */
function byTitle(...schemas: JsonSchema[]): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  const lift = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(lift);
    if (typeof value !== "object" || value === null) return value;
    const lifted = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, lift(part)]));
    const { title } = value as JsonSchema;
    if (typeof title !== "string") return lifted;
    all[title] = lifted;
    return { $ref: `#/components/schemas/${title}` };
  };
  for (const schema of schemas) lift(schema);
  return all;
}

interface Told {
  operationId: string;
  summary: string;
  /** What its key is. */
  key: string;
  schema: string;
  examples: Readonly<Record<string, unknown>>;
}

/** What Hot Bags is told, and need not answer. */
const told = ({ operationId, summary, key, schema, examples }: Told) => ({
  post: {
    ...{ operationId, summary, parameters: headers(key, "The `transport_session_id`.") },
    requestBody: {
      required: true,
      description: "The same bytes for every attempt.",
      content: {
        "application/json": { schema: { $ref: `#/components/schemas/${schema}` }, examples: named(examples) },
      },
    },
    responses: {
      "2XX": { description: "It is taken. The body is not read; only a web page is no such answer." },
      "401": { description: "The token or a signature is not right. It is tried again." },
      default: { description: "It is tried again, with the same key and the same bytes." },
    },
  },
});

/** The OpenAPI 3.1 document, with `examples` as the bodies of requests, `reports` and `events` as theirs, by name. */
export function openApi(
  examples: Readonly<Record<string, unknown>>,
  reports: Readonly<Record<string, unknown>>,
  events: Readonly<Record<string, unknown>>,
) {
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: "Hot Bags, as hotbags-bridge calls it",
      version: DOCUMENT_VERSION,
      summary: "One request a message of a customer; the answer says what to do.",
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "https://shop.example", description: "HOTBAGS_BASE_URL" }],
    security: [{ bearer: [] }],
    paths: {
      [INBOUND_PATH]: {
        head: ping,
        post: {
          operationId: "receiveMessage",
          summary: "A customer has written",
          parameters: [
            header(
              "X-HotBags-Accept",
              "What the answer may use, separated by commas: `send_text`, `pause_chat` and `resume_chat` always; others where the operator has switched them on. What is not named is skipped or ignored.",
              { type: "string" },
            ),
            ...headers("The `message_id`", "The `transport_session_id`."),
          ],
          requestBody: {
            required: true,
            description: `At most ${MAX_BODY_BYTES} bytes. The same bytes for every attempt of a key, but for a file that was lost, and after a 413.`,
            content: {
              "application/json": {
                schema: { $ref: "#/components/schemas/InboundRequest" },
                examples: named(examples),
              },
            },
          },
          responses: {
            "200": {
              description: "The message is taken, for good. Any other 2xx with such a body counts the same.",
              content: { "application/json": { schema: { $ref: "#/components/schemas/Answer" }, examples: ANSWERS } },
            },
            "204": { description: "The message is taken, and there is nothing to do." },
            ...failures(),
          },
        },
      },
      [REPORTS_PATH]: told({
        operationId: "receiveReport",
        summary: "What has become of a command; only where HOTBAGS_REPORTS_PATH asks for it",
        key: "The `report_id`",
        schema: "DeliveryReport",
        examples: reports,
      }),
      [EVENTS_PATH]: told({
        operationId: "receiveEvent",
        summary: "Something has happened to the bridge; only where HOTBAGS_EVENTS_PATH asks for it",
        key: "The `event_id`",
        schema: "BridgeEvent",
        examples: events,
      }),
    },
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer", description: "HOTBAGS_BEARER_TOKEN" } },
      schemas: byTitle(requestSchema(), answerSchema(), reportSchema(), eventSchema()),
    },
  };
}

const DESCRIPTION = `A key that was seen before is answered with the answer it got then: nothing is done twice. While the first request of a key still runs, answer 409. The same key with another body is refused, with 409 or 422.

A message is tried again until a 2xx comes, for 24 hours. Messages of one chat come in order, one at a time.

A 2xx with \`"success": false\`, \`"ok": false\` or an \`error\` and without \`commands\` counts as a failure, and so does an empty body that is no 204. Fields of an answer that are not named here are ignored; a command of another \`type\` is skipped.

docs/contract/README.md of hotbags-bridge has the whole contract in words.`;

const ANSWERS = {
  nothing: { summary: "Nothing to do", value: {} },
  reply: {
    summary: "One reply",
    value: { commands: [{ command_id: "9f1c", type: "send_text", text: "Yes, two left." }] },
  },
  handover: {
    summary: "A colleague takes over for two hours",
    value: {
      commands: [
        { command_id: "9f20", type: "send_text", text: "A colleague will answer you." },
        { command_id: "9f21", type: "pause_chat", for_seconds: 7_200, replies: "hold" },
      ],
    },
  },
  file: {
    summary: "A file by its URL, where X-HotBags-Accept has send_media",
    value: {
      commands: [
        { command_id: "9f30", type: "send_media", url: "https://shop.example/bags/12.jpg", caption: "Two left." },
      ],
    },
  },
  end: { summary: "The colleague is done", value: { commands: [{ command_id: "9f22", type: "resume_chat" }] } },
} as const;
