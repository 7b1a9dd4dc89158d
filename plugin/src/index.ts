import { isAbortRequestText } from "openclaw/plugin-sdk/command-primitives-runtime";
import { definePluginEntry, type OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { Bridge } from "./bridge.ts";
import { missingSettings } from "./gateway-settings.ts";
import { line } from "./log.ts";
import { silence } from "./silence.ts";

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
  // Reading metadata, OpenClaw offers no runtime at all: touching it would throw.
  if (api.registrationMode === "cli-metadata" || api.registrationMode === "setup-only") return;
  const bridge = new Bridge({
    stateDir: api.runtime.state.resolveStateDir(),
    pluginConfig: api.pluginConfig,
    openclawVersion: api.runtime.version,
    log: api.logger,
    isConsumed: (text) => isAbortRequestText(text) || /^\s*\/approve(?:@\S+)?(?:\s|$)/i.test(text),
  });
  api.on("reply_dispatch", (event) => bridge.onDispatch(event.ctx));
  api.on("message_received", (event, context) => bridge.onReceived(event, context));
  api.on("message_sent", (event, context) => bridge.onSent(event, context));
  api.on("reply_payload_sending", (event, context) => silence(event, context));
  // Named in every mode, so that `openclaw plugins inspect` shows it; run only in a gateway.
  api.registerService({
    id: "hotbags",
    start: (context) => {
      if (api.registrationMode !== "full") return;
      for (const missing of missingSettings(context.config)) api.logger.warn(line({}, missing));
      bridge.start();
    },
    stop: () => bridge.stop(),
  });
}
