import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

/**
 * The built sidecar between all that it talks to: a plugin, Hot Bags, a gateway and an operator's webhook. Hot Bags
 * answers each message with one reply, `to-<message_id>`, and the gateway sends it.
 */
export class ShopWithOperator {
  readonly hook: AlertHook;
  readonly gateway: ScriptedGateway;
  readonly hotbags: HotBags;
  readonly sidecar: BuiltSidecar;
  /** Connected; another one after a restart. */
  plugin: ScriptedPlugin;

  private constructor(
    hook: AlertHook,
    gateway: ScriptedGateway,
    hotbags: HotBags,
    sidecar: BuiltSidecar,
    plugin: ScriptedPlugin,
  ) {
    this.hook = hook;
    this.gateway = gateway;
    this.hotbags = hotbags;
    this.sidecar = sidecar;
    this.plugin = plugin;
  }

  /**
   * `env`: on top of what it needs. `prepare` is called before the sidecar looks at the gateway, `state` makes what it finds
   * in its folder.
   */
  static async start(
    env: Record<string, string> = {},
    prepare: (gateway: ScriptedGateway) => void = () => {},
    state: (dir: string) => Promise<void> = async () => {},
  ) {
    const hook = await startAlertHook();
    const gateway = await new ScriptedGateway().start();
    gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
    prepare(gateway);
    const hotbags = await startHotBags({ token: BEARER_TOKEN });
    hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
    const sidecar = await BuiltSidecar.start({ hotbags, gateway, env: { ALERT_WEBHOOK_URL: hook.url, ...env }, state });
    return new ShopWithOperator(hook, gateway, hotbags, sidecar, await sidecar.connect());
  }

  /** What `GET /health` says now. */
  async health<Report>(): Promise<Report> {
    return (await this.sidecar.health<Report>()).body;
  }

  /** The sidecar ends, politely or by a kill, and starts again with these changes of its environment. */
  async restart(changes: Record<string, string> = {}, how: "stop" | "kill" = "stop"): Promise<void> {
    this.plugin.socket.terminate();
    await this.sidecar.process[how]();
    this.sidecar.process.configure(changes);
    await this.sidecar.process.start();
    this.plugin = await this.sidecar.connect();
  }

  async close(): Promise<void> {
    this.plugin.socket.terminate();
    await this.sidecar.close();
    await this.hotbags.close();
    await this.gateway.stop();
    this.hook.close();
  }
}
