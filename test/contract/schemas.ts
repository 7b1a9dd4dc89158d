import { z } from "zod";
import { MAX_COMMANDS } from "../../shared/src/limits.ts";
import { cursor, outboxAddress } from "../../shared/src/outbox.ts";
import { bridgeEvent, deliveryReport } from "../../shared/src/report.ts";
import { requestBody } from "../../shared/src/request.ts";
import { KINDS } from "../../sidecar/src/commands/index.ts";

/** A JSON Schema (2020-12), as far as it is looked into here. */
export interface JsonSchema {
  title?: string;
  description?: string;
  type?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  additionalProperties?: unknown;
  [keyword: string]: unknown;
}

/** As zod takes it: before `parseAnswer`, an id may be a number. */
const NUMERIC_ID: JsonSchema = {
  description: 'Or a whole number in digits alone, such as a Postgres bigint: 7 and "7" are one id.',
  type: "integer",
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
};

function fromZod(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // A later release may say more, on both sides: a field that is not known is no error.
      delete jsonSchema.additionalProperties;
      // No format of JSON Schema's: contentEncoding says the same, and strict validators refuse a format they don't know.
      if (jsonSchema.format === "base64") delete jsonSchema.format;
    },
  });
  return plain as JsonSchema;
}

/** The body of a request. */
export function requestSchema(): JsonSchema {
  const schema = fromZod(requestBody);
  const items = schema.properties?.["media"]?.items;
  if (items) items.title = "Attachment";
  return { title: "InboundRequest", ...schema };
}

/** The body of a delivery report. */
export function reportSchema(): JsonSchema {
  return { title: "DeliveryReport", ...fromZod(deliveryReport) };
}

/** The body of an event. */
export function eventSchema(): JsonSchema {
  return { title: "BridgeEvent", ...fromZod(bridgeEvent) };
}

/** Each kind of command. */
function commandSchemas(): JsonSchema[] {
  return Object.entries(KINDS).map(([type, kind]): JsonSchema => {
    const { title: _, ...schema } = fromZod(kind.schema);
    const { command_id } = schema.properties ?? {};
    if (!command_id) throw new Error(`${type} has no command_id`);
    const { description, ...text } = command_id;
    schema.properties = {
      ...schema.properties,
      command_id: { description: String(description), anyOf: [text, NUMERIC_ID] },
    };
    return { title: kind.title, ...schema };
  });
}

/** The body of a 200 of the outbox. */
export function outboxSchema(): JsonSchema {
  const { properties: address, required: addressed } = fromZod(outboxAddress);
  const each = commandSchemas().map(({ title, ...schema }): JsonSchema => {
    // There is no message that it could be about.
    const own = title === "React" ? ["message_id"] : [];
    const required = [...((schema["required"] as string[]) ?? []), ...own, ...(addressed as string[])];
    return { title: `Outbox${title}`, ...schema, properties: { ...schema.properties, ...address }, required };
  });
  const { description, ...text } = fromZod(cursor);
  const asNumber = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
  return {
    title: "OutboxAnswer",
    description: "What Hot Bags sends without being asked. No commands: there is nothing to do.",
    type: "object",
    properties: {
      cursor: {
        description: `${description} Must be there where there are commands, and grow. Or a whole number in digits alone, such as a Postgres bigint.`,
        anyOf: [text, asNumber],
      },
      commands: {
        description: "Run in this order in each chat.",
        type: "array",
        maxItems: MAX_COMMANDS,
        items: { title: "OutboxCommand", anyOf: each },
      },
    },
  };
}

/** The body of a 2xx. */
export function answerSchema(): JsonSchema {
  const each = commandSchemas();
  return {
    title: "Answer",
    description: "What Hot Bags answers with a 2xx. No commands: there is nothing to do.",
    type: "object",
    properties: {
      commands: {
        description: "Run in this order, in the chat that the message came from.",
        type: "array",
        maxItems: MAX_COMMANDS,
        items: { title: "Command", anyOf: each },
      },
    },
  };
}
