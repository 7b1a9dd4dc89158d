import type { Alerts } from "../alerts/alerts.ts";
import type { LastBackup } from "../checks/last-backup.ts";
import type { Releases } from "../checks/releases.ts";
import type { Clock } from "../clock.ts";
import type { Gateway } from "../gateway/index.ts";
import type { OutboxStatus, PluginVersions } from "../intake/plugin-connection.ts";
import type { HotBags } from "../relay/hotbags.ts";
import type { Outbox } from "../relay/outbox.ts";
import type { Relay } from "../relay/relay.ts";
import type { Reporting } from "../relay/reporting.ts";
import type { BrakeLimits } from "../replies/brake.ts";
import type { Replies } from "../replies/replies.ts";
import type { RotationStatus } from "../rotation.ts";
import type { Store } from "../store/index.ts";
import type { DiskWatch } from "./disk-watch.ts";

/** What is looked at. */
export interface HealthParts {
  store: Store;
  /** This sidecar's name, where others share its store; null: it is alone. */
  instance: string | null;
  relay: Relay;
  reporting: Readonly<Record<"reports" | "events", Reporting>>;
  /** What Hot Bags sends without being asked. */
  outbound: Outbox;
  hotbags: Pick<HotBags, "certificateEndsAt">;
  replies: Replies;
  brake: BrakeLimits;
  gateway: Gateway;
  clock: Clock;
  disk: DiskWatch;
  /** Why nothing may be heard of customers, though all is connected; `isKnown` false: nobody can say. */
  quiet: {
    readonly problem: { readonly text: string; readonly lastAt: number | null; readonly quietMs: number } | null;
    readonly isKnown: boolean;
  };
  /** What the connected plugin said of itself; null when none is connected. */
  plugin(): PluginVersions | null;
  outbox(): OutboxStatus | null;
  /** A plugin of another version of the wire comes, and is refused. */
  isOtherWireAround(): boolean;
  /** Of each secret that can have two at once: which one the other side goes by; null while there is only one. */
  rotations(): Readonly<Record<string, RotationStatus | null>>;
  /** The last backup that was made by itself; null: none ever was. */
  lastBackup(): LastBackup | null;
  /** What is known of newer releases; null: it was never looked. */
  releases(): Releases | null;
  /** How the ways to the operator are. */
  alerting(): Alerts["channels"];
  /** A message or reply that waits longer than this, ms, is a customer who waits. */
  maxWaitMs: number;
  /** The gateway, the plugin or WhatsApp may be away for so long, ms, before the operator is told. */
  downMs: number;
}
