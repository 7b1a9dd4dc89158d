import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the build puts the page: beside the chunks that this becomes a part of. */
export const BUILT_PAGE = fileURLToPath(new URL("../console/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** Its name has a hash of its content: it never changes. */
const HASHED = /^\/assets\/.*-[\w-]{8,}\.\w+$/;

/** The best first. */
const ENCODINGS = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const;

interface PageFile {
  type: string;
  plain: Buffer;
  /** The same, compressed when the page was built. */
  encoded: Partial<Record<"br" | "gzip", Buffer>>;
}

/**
 * The built page. Its few files are read once, when somebody asks for the first of them, and served from memory: no path
 * that is asked for ever becomes one of the disk.
 */
export class Page {
  readonly #folder: string;
  #files: ReadonlyMap<string, PageFile> | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  answer(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (request.method !== "GET" && request.method !== "HEAD") return say(response, 405, "use GET");
    this.#files ??= readPage(this.#folder);
    if (this.#files === null)
      return say(response, 503, "The console's page was not built: npm run build makes it, and a release has it.");
    const file = this.#files.get(path === "/" ? "/index.html" : path);
    if (!file) return say(response, 404, "There is no such page: the console is at /");
    const encoding = ENCODINGS.find(({ name }) => file.encoded[name] && accepts(request, name))?.name;
    const bytes = (encoding && file.encoded[encoding]) ?? file.plain;
    response.writeHead(200, {
      "content-type": file.type,
      "content-length": bytes.length,
      "cache-control": HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      ...(encoding ? { "content-encoding": encoding } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }
}

/** Null: there is none. */
function readPage(folder: string): ReadonlyMap<string, PageFile> | null {
  if (!existsSync(join(folder, "index.html"))) return null;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const files = new Map<string, PageFile>();
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const encoded: PageFile["encoded"] = {};
    for (const { name: encoding, ending } of ENCODINGS)
      if (names.includes(`${name}${ending}`)) encoded[encoding] = readFileSync(join(folder, `${name}${ending}`));
    files.set(`/${name.split(sep).join("/")}`, { type, plain: readFileSync(join(folder, name)), encoded });
  }
  return files;
}

/** RFC 9110: a coding with `q=0` is one that must not be sent. */
function accepts({ headers }: IncomingMessage, encoding: string): boolean {
  const asked = String(headers["accept-encoding"] ?? "").split(",");
  return asked.some((one) => {
    const [name = "", ...parameters] = one.split(";").map((part) => part.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** To a person. */
function say(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.end(`${sentence}\n`);
}
