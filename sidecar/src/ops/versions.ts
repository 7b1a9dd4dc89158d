import { TESTED, VERSION } from "@hotbags/shared";

/** The parts that must fit each other, as far as they have said what they are. */
interface Found {
  plugin: string | null;
  openclaw: string | null;
  /** OpenClaw's WhatsApp plugin. */
  whatsapp: string | null;
}

/**
 * The version of each part, and a sentence for each one that is not the one that this sidecar was tested with: what is
 * left of an update that was done by half. It makes nothing unhealthy, because most of them work together all the same.
 */
export function readVersions(found: Found) {
  const tested = { plugin: VERSION, openclaw: TESTED.openclaw, whatsapp: TESTED.whatsapp };
  const parts = Object.keys(tested) as (keyof Found)[];
  const warnings = parts.flatMap((part) => {
    const version = found[part];
    return version === null || version === tested[part] ? [] : [warning(part, version, tested[part])];
  });
  return { sidecar: VERSION, ...found, tested, warnings };
}

const PARTS = {
  plugin: {
    name: "the plugin hotbags in OpenClaw",
    remedy: (tested: string) =>
      `install the plugin of this release (openclaw plugins install npm-pack:hotbags-openclaw-plugin-${tested}.tgz --force --accept-capabilities) and restart the gateway, or update the sidecar to the plugin's release`,
  },
  openclaw: {
    name: "OpenClaw",
    remedy: (tested: string) =>
      `npm install -g openclaw@${tested} and restart the gateway, or update the bridge to a release that was tested with it`,
  },
  whatsapp: {
    name: "OpenClaw's WhatsApp plugin",
    remedy: (tested: string) =>
      `openclaw plugins install npm:@openclaw/whatsapp@${tested} --force and restart the gateway, or update the bridge to a release that was tested with it`,
  },
} as const satisfies Record<keyof Found, { name: string; remedy(tested: string): string }>;

function warning(part: keyof Found, version: string, tested: string): string {
  const { name, remedy } = PARTS[part];
  return `${name} is ${version}, and this sidecar was tested with ${tested}: ${remedy(tested)}`;
}
