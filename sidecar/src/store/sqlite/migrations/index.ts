import { messagesAndCommands } from "./0001-messages-and-commands.ts";
import { media } from "./0002-media.ts";
import { downtime } from "./0003-downtime.ts";
import { failures } from "./0004-failures.ts";
import { forgetting } from "./0005-forgetting.ts";
import { deliveredFiles } from "./0006-delivered-files.ts";
import { probe } from "./0007-probe.ts";
import { waitsAndDoubts } from "./0008-waits-and-doubts.ts";
import { provenTime } from "./0009-proven-time.ts";
import { sendingBoot } from "./0010-sending-boot.ts";
import { operator } from "./0011-operator.ts";
import { pauses } from "./0012-pauses.ts";
import { handovers } from "./0013-handovers.ts";
import { alerts } from "./0014-alerts.ts";
import { erasure } from "./0015-erasure.ts";
import { restores } from "./0016-restores.ts";
import { said } from "./0017-said.ts";
import { commandDetails } from "./0018-command-details.ts";
import { reports } from "./0019-reports.ts";
import { figures } from "./0020-figures.ts";
import { console } from "./0021-console.ts";
import { outbound } from "./0022-outbound.ts";

/** In order; the number of a migration is its place, and `PRAGMA user_version` says how many a database has had. Never edit one that was released. */
export const migrations: readonly string[] = [
  messagesAndCommands,
  media,
  downtime,
  failures,
  forgetting,
  deliveredFiles,
  probe,
  waitsAndDoubts,
  provenTime,
  sendingBoot,
  operator,
  pauses,
  handovers,
  alerts,
  erasure,
  restores,
  said,
  commandDetails,
  reports,
  figures,
  console,
  outbound,
];

/** How many of them a database has had that this release works on. */
export const SCHEMA = migrations.length;
