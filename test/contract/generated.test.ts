import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { compile } from "json-schema-to-typescript";
import { beforeAll, describe, expect, it } from "vitest";
import { bridgeEvent, type DeliveryReport, deliveryReport } from "../../shared/src/report.ts";
import { KINDS } from "../../sidecar/src/commands/index.ts";
import { openApi } from "./openapi.ts";
import { answerSchema, eventSchema, type JsonSchema, reportSchema, requestSchema } from "./schemas.ts";

// @hotbags/contract has nothing that was written twice: what is made from the zod schemas is made here, and a difference
// is a failure. `vitest run --project unit contract/generated -u` writes it anew.

const CONTRACT = new URL("../../contract/", import.meta.url);
const EXAMPLES = new URL("../../docs/contract/", import.meta.url);

let examples: Record<string, unknown>;
let reports: Record<string, unknown>;
let events: Record<string, unknown>;
beforeAll(async () => {
  examples = await readExamples(EXAMPLES);
  reports = await readExamples(new URL("reports/", EXAMPLES));
  events = await readExamples(new URL("events/", EXAMPLES));
});

/** By their names. */
async function readExamples(folder: URL): Promise<Record<string, unknown>> {
  const names = (await readdir(folder)).filter((file) => file.endsWith(".json")).toSorted();
  const read = names.map(async (file) => [
    file.slice(0, -".json".length),
    JSON.parse(await readFile(new URL(file, folder), "utf8")),
  ]);
  return Object.fromEntries(await Promise.all(read));
}

const pathOf = (file: string) => fileURLToPath(new URL(file, CONTRACT));
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const MADE = "// Made from the zod schemas by test/contract/generated.test.ts: do not edit.\n\n";

/** Closed, so that a misspelled field is an error of the compiler. */
const closed = (schema: JsonSchema): JsonSchema =>
  JSON.parse(JSON.stringify(schema), (_, value) =>
    value?.type === "object" ? { ...value, additionalProperties: value.properties === undefined } : value,
  );

it("the package's schemas, types and examples are those of the code", async () => {
  const [request, answer, report, event] = [requestSchema(), answerSchema(), reportSchema(), eventSchema()];
  const dialect = { $schema: "https://json-schema.org/draft/2020-12/schema" };
  await expect(json({ ...dialect, ...request })).toMatchFileSnapshot(pathOf("schema/inbound-request.json"));
  await expect(json({ ...dialect, ...answer })).toMatchFileSnapshot(pathOf("schema/answer.json"));
  await expect(json({ ...dialect, ...report })).toMatchFileSnapshot(pathOf("schema/delivery-report.json"));
  await expect(json({ ...dialect, ...event })).toMatchFileSnapshot(pathOf("schema/event.json"));
  const all = Object.entries({ request, answer, report, event }).map(([name, schema]) => [
    name,
    { ...dialect, ...schema },
  ]);
  const schemas = `${MADE}export const schemas = ${json(Object.fromEntries(all)).trimEnd()} as const;\n`;
  await expect(schemas).toMatchFileSnapshot(pathOf("src/generated/schemas.ts"));
  const options = { bannerComment: "", additionalProperties: false, style: { printWidth: 120 } };
  const types = await Promise.all(
    // biome-ignore lint/suspicious/noExplicitAny: the library's type of a JSON Schema is that of draft 4.
    [request, answer, report, event].map((schema) => compile(closed(schema) as any, String(schema.title), options)),
  );
  await expect(`${MADE}${types.join("\n")}`).toMatchFileSnapshot(pathOf("src/generated/types.ts"));
  const typed = `${MADE}import type { BridgeEvent, DeliveryReport, InboundRequest } from "./types.ts";\n\n/** The body of a request for each kind of message, by its name in docs/contract. */\nexport const examples = ${json(examples).trimEnd()} as const satisfies Record<string, InboundRequest>;\n\n/** The body of a delivery report for each state, by its name in docs/contract/reports. */\nexport const reportExamples = ${json(reports).trimEnd()} as const satisfies Record<string, DeliveryReport>;\n\n/** The body of an event of each type, by its name in docs/contract/events. */\nexport const eventExamples = ${json(events).trimEnd()} as const satisfies Record<string, BridgeEvent>;\n`;
  await expect(typed).toMatchFileSnapshot(pathOf("src/generated/examples.ts"));
});

describe("the OpenAPI document", () => {
  it("is that of the code, and one", async () => {
    const document = openApi(examples, reports, events);
    await expect(json(document)).toMatchFileSnapshot(pathOf("openapi.json"));
    const validator = new Validator();
    expect(await validator.validate(structuredClone(document) as Record<string, unknown>)).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  it("names each kind of command, for those who generate types from it", () => {
    const { schemas } = openApi(examples, reports, events).components;
    const kinds = Object.values(KINDS).map(({ title }) => title);
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(["Attachment", "Command", ...kinds]));
  });
});

it("docs/contract has a row for each header and each field", async () => {
  const readme = await readFile(new URL("README.md", EXAMPLES), "utf8");
  const rowsOf = (table: string) =>
    [...(readme.split(`| ${table} | value |`)[1]?.split("\n\n")[0] ?? "").matchAll(/^\| (`.*?`) \|/gm)]
      .flatMap(([, names]) => names?.split(", ") ?? [])
      .map((name) => name.replaceAll("`", ""));
  const headers = Object.values(openApi({}, {}, {}).paths)[0]?.post.parameters.map(({ name }) => name) ?? [];
  // OpenAPI says these elsewhere.
  expect(rowsOf("header").toSorted()).toEqual([...headers, "Authorization", "Content-Type"].toSorted());
  expect(rowsOf("field of the body").toSorted()).toEqual(Object.keys(requestSchema().properties ?? {}).toSorted());
  expect(rowsOf("field of an event").toSorted()).toEqual(Object.keys(eventSchema().properties ?? {}).toSorted());
  expect(rowsOf("field of a report").toSorted()).toEqual(Object.keys(reportSchema().properties ?? {}).toSorted());
});

describe("the schemas", () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  formats.default(ajv);
  const [isRequest, isAnswer] = [ajv.compile(requestSchema()), ajv.compile(answerSchema())];
  const isReport = ajv.compile(reportSchema());
  const isEvent = ajv.compile(eventSchema());

  it("take every example, and what a later release adds to it", () => {
    for (const [name, example] of Object.entries(examples)) {
      isRequest(example);
      expect({ name, errors: isRequest.errors }).toEqual({ name, errors: null });
      expect(isRequest({ ...(example as object), of_tomorrow: 1 })).toBe(true);
    }
  });

  it("take every report and event, one of each state and type", () => {
    for (const [name, report] of Object.entries(reports)) {
      isReport(report);
      expect({ name, errors: isReport.errors }).toEqual({ name, errors: null });
      expect(deliveryReport.parse(report)).toEqual(report);
    }
    expect(
      Object.values(reports)
        .map((report) => (report as DeliveryReport).state)
        .toSorted(),
    ).toEqual([...deliveryReport.shape.state.options].toSorted());
    for (const [name, event] of Object.entries(events)) {
      isEvent(event);
      expect({ name, errors: isEvent.errors }).toEqual({ name, errors: null });
      expect(bridgeEvent.parse(event)).toEqual(event);
    }
    expect(Object.keys(events).map((name) => name.replaceAll("-", "_"))).toEqual(
      [...bridgeEvent.shape.type.options].toSorted(),
    );
    expect(isReport({ ...(reports["sent"] as object), state: "read" })).toBe(false);
  });

  it.each([
    ["a number without its plus", { from: "15550001001" }],
    ["a time without milliseconds", { timestamp: "2026-01-05T10:00:00Z" }],
    ["no text", { text: undefined }],
    ["a session of something else", { transport_session_id: "session-1" }],
  ])("refuse a request with %s", (_, wrong) => {
    expect(isRequest({ ...(examples["text"] as object), ...wrong })).toBe(false);
  });

  it.each<[string, unknown, boolean]>([
    ["nothing", {}, true],
    ["a reply", { commands: [{ command_id: "a", type: "send_text", text: "hi" }], more: 1 }, true],
    ["an id that is a number", { commands: [{ command_id: 7, type: "resume_chat" }] }, true],
    ["an id that was never set", { commands: [{ command_id: 0, type: "resume_chat" }] }, false],
    ["a blank text", { commands: [{ command_id: "a", type: "send_text", text: " " }] }, false],
    ["a pause without an end", { commands: [{ command_id: "a", type: "pause_chat" }] }, false],
    ["commands that are no list", { commands: {} }, false],
  ])("judge an answer with %s", (_, answer, is) => {
    expect(isAnswer(answer)).toBe(is);
  });
});
