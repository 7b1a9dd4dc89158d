import { z } from "zod";
import { e164, groupId } from "../../shared/src/index.ts";
import { API_PREFIX, EVENTS, ROUTES } from "../../sidecar/src/operator/schemas.ts";

/** The part of a JSON schema that is shown. */
interface Schema {
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
}

/** docs/operator-api.md, from the schemas that requests and answers are checked by. */
export function drawOperatorApi(): string {
  const routes = [...Object.values(ROUTES), EVENTS].map((route) => {
    const { method, path, about, changes, input, output } = route;
    const asked = z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as Schema;
    const answered = z.toJSONSchema(output, { unrepresentable: "any" }) as Schema;
    const where = method === "GET" ? "Query" : "Body";
    return [
      `## ${method} ${API_PREFIX}${path}`,
      "",
      `${about}.${changes ? " It is noted in the audit." : ""}${"only" in route ? " Only on the socket, not through the console." : ""}`,
      "",
      ...(Object.keys(asked.properties ?? {}).length > 0 ? [`${where}: \`${describe(asked)}\``, ""] : []),
      `Answer: \`${describe(answered)}\``,
      "",
    ].join("\n");
  });
  return `${HEAD}\n${routes.join("\n")}`;
}

const HEAD = `# Operator API

HTTP and JSON on the Unix socket \`operator.sock\` in \`BRIDGE_STATE_DIR\`, mode 600: whoever may read the state folder may operate. The \`hotbags\` command is a face of it ([operations.md](operations.md)). Nothing else reads the database of a running sidecar, but for \`hotbags doctor\`, which sees whether every page of it can be read.

    curl --unix-socket /var/lib/hotbags/operator.sock http://operator/api/v1/messages?state=dead

The number in \`/api/v1\` changes when a reader would break; new fields and routes come without that. Times are ISO 8601 in UTC. A header \`Hotbags-User\` says for the audit who asks; it is believed, for whoever can open the socket could write the database itself.

A chat is a customer's number in E.164 (\`+15550001000\`) or a group's id as WhatsApp has it (\`…@g.us\`).

Lists are newest first. \`next\` is what the next page begins \`before\`; null: this was the last. A page looks at 2,000 rows at the most, whatever it finds, so that it costs the same over a million: it can be short or empty, and not be the last.

What is wrong is answered with \`{"error": "…"}\`: 400 the request, 404 no such thing, 405 the method, 409 not as things are, 413 too large, 415 a file that is no picture, 503 not now.

The console has the same routes at its own address, for whoever is logged in there: see [console.md](console.md).

<!-- Made from sidecar/src/operator/schemas.ts: vitest run --project unit operator-api-doc -u -->
`;

/** What a pattern stands for. */
const FORMS = new Map([
  [(z.toJSONSchema(e164) as Schema).pattern, "E.164 number"],
  [(z.toJSONSchema(groupId) as Schema).pattern, "group id"],
]);

function describe(schema: Schema): string {
  if (schema.anyOf) return schema.anyOf.map(describe).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `[${schema.items ? describe(schema.items) : ""}, …]`;
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(
      ([name, field]) => `${name}${schema.required?.includes(name) ? "" : "?"}: ${describe(field)}`,
    );
    return `{ ${fields.join(", ")} }`;
  }
  if (schema.format === "date-time") return "time";
  if (schema.format === "bytes") return "the bytes";
  const form = FORMS.get(schema.pattern);
  if (form) return form;
  if (schema.type === "string" && schema.pattern?.includes("\\d")) return "number";
  return [schema.type ?? "any"].flat().join(" | ");
}
