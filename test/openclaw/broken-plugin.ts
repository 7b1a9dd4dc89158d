import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const OURS = new URL("../../plugin/", import.meta.url);

/**
 * What is wrong with it. The one that throws in its hooks has the real second lock, but uses it only where the configuration has no
 * first one: so a test can look at each lock alone.
 */
const ENTRIES = {
  "throws while loading": `throw new Error("this plugin throws while loading");`,
  "throws in its hooks": `
    import { silence } from ${JSON.stringify(new URL("src/host/silence.ts", OURS).href)};
    const fail = () => {
      throw new Error("this plugin throws in its hooks");
    };
    export default {
      id: "hotbags",
      name: "Hot Bags bridge",
      description: "A plugin that throws in its hooks",
      register(api) {
        for (const hook of ["before_dispatch", "reply_dispatch", "message_received", "message_sent"]) api.on(hook, fail);
        api.on("reply_payload_sending", (event, context) => {
          if (api.runtime.config.current().session?.sendPolicy) fail();
          return silence(event, context);
        });
      },
    };`,
};

/** Writes a plugin into a folder of its own under `root`: to OpenClaw it is ours, by id and manifest, but it does not work. Returns the folder. */
export async function writeBrokenPlugin(root: string, how: keyof typeof ENTRIES): Promise<string> {
  const folder = join(root, `plugin-that-${how.replaceAll(" ", "-")}`);
  await mkdir(folder, { recursive: true });
  const manifest = JSON.parse(await readFile(new URL("package.json", OURS), "utf8"));
  const { name, version, type, openclaw } = manifest;
  const files = {
    "package.json": JSON.stringify({ name, version, type, openclaw: { ...openclaw, extensions: ["./index.js"] } }),
    "openclaw.plugin.json": await readFile(new URL("openclaw.plugin.json", OURS), "utf8"),
    "index.js": ENTRIES[how],
  };
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
  return folder;
}
