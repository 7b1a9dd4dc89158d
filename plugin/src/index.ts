import { missingSettings, reasonOf, shownVersion, TESTED } from "@hotbags/shared";
import { isAbortRequestText } from "openclaw/plugin-sdk/command-primitives-runtime";
import { definePluginEntry, type OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { Bridge, type BridgeOptions } from "./bridge.ts";
import { guarded } from "./host/guard.ts";
import { line } from "./host/log.ts";
import { silence } from "./host/silence.ts";
import { registerCommands } from "./status/cli.ts";

/** Where our configuration stands in OpenClaw's. */
const CONFIG_PATH = "plugins.entries.hotbags.config";

/**
 * OpenClaw's plugin entry. It is evaluated several times in a process, so nothing happens before `register`, and
 * nothing is opened but in a running gateway.
 */
export default definePluginEntry({
  id: "hotbags",
  name: "Hot Bags bridge",
  description: "Hands every WhatsApp message to the Hot Bags sidecar and keeps OpenClaw itself silent on WhatsApp.",
  register,
});

function register(api: OpenClawPluginApi): void {
  registerCommands(api, () => api.runtime.state.resolveStateDir());
  // Reading metadata, OpenClaw offers no runtime at all: touching it would throw.
  if (api.registrationMode === "cli-metadata" || api.registrationMode === "setup-only") return;
  const options: BridgeOptions = {
    stateDir: api.runtime.state.resolveStateDir(),
    openclawVersion: api.runtime.version,
    readConfig: () => api.runtime.config.current().plugins?.entries?.["hotbags"]?.config,
    log: api.logger,
    isConsumed: (text) => isAbortRequestText(text) || /^\s*\/approve(?:@\S+)?(?:\s|$)/i.test(text),
  };
  let bridge = new Bridge(options);
  const failed = (error: unknown) => api.logger.error(line({}, `OpenClaw's call failed: ${reasonOf(error)}`));
  api.on(
    "reply_dispatch",
    guarded((event) => bridge.onDispatch(event.ctx), failed),
  );
  api.on(
    "message_received",
    guarded((event, context) => bridge.onReceived(event, context), failed),
  );
  api.on(
    "message_sent",
    guarded((event, context) => bridge.onSent(event, context), failed),
  );
  api.on("reply_payload_sending", guarded(silence, failed));
  // An edit of our configuration is read by the bridge itself. By default OpenClaw would replace the whole plugin: for
  // seconds its hooks fail, so that messages take the model's path, and message_received never works again until the
  // gateway restarts (2026.9.6).
  api.registerReload({ noopPrefixes: [CONFIG_PATH] });
  // Named in every mode, so that `openclaw plugins inspect` shows it; run only in a gateway.
  api.registerService({
    id: "hotbags",
    start: guarded(({ config }) => {
      if (api.registrationMode !== "full") return;
      // OpenClaw (2026.9.6) starts a service again that it has stopped only where that one names settings to be restarted
      // for, and ours does not. Should it ever, messages must not wait for a restart of the gateway.
      if (bridge.isStopped) bridge = new Bridge(options);
      bridge.start();
      for (const missing of missingSettings(config)) api.logger.warn(line({}, missing));
      if (api.runtime.version !== TESTED.openclaw) api.logger.warn(line({}, untested(api.runtime.version)));
    }, failed),
    stop: guarded(() => bridge.stop(), failed),
  });
  // Not every instance is started, but hooks may be called on any.
  api.lifecycle.onDispose?.(guarded(() => bridge.stop(), failed));
}

/** An older one OpenClaw refuses itself: openclaw.compat.pluginApi in package.json. */
function untested(version: string): string {
  return `this is OpenClaw ${shownVersion(version)}, and this plugin was tested with ${TESTED.openclaw}: messages are captured all the same; what it changes nobody has looked at. Install openclaw@${TESTED.openclaw}, or a release of the bridge that was tested with this one`;
}
