import type { Notice } from "./notice.ts";

/** What becomes of customers while a unit of systemd does not run, and what to do besides looking into its journal. */
const UNITS: Readonly<Record<string, Pick<Notice, "severity"> & { text(host: string): string }>> = {
  "hotbags-backup.service": {
    severity: "warning",
    text: (host) =>
      `The backup on ${host} failed, or was not brought off the machine. Customers are answered all the same, and the backups of before are still there. When it is mended: systemctl start hotbags-backup.`,
  },
  "hotbags-release-check.service": {
    severity: "warning",
    text: (host) =>
      `On ${host} nobody could say for half a day whether there are newer releases of the bridge or of OpenClaw. Customers are answered all the same.`,
  },
};

interface Failure {
  unit: string;
  /** This machine's name. */
  host: string;
  /** Wall-clock ms. */
  at: number;
  /** What the unit itself has left, without a full stop; null where it has left none. */
  reason: string | null;
  /** It has failed again and again, and systemd starts it each time; otherwise it has failed for good. */
  isRestarted: boolean;
}

/** That a unit has failed. */
export function unitFailure({ unit, host, at, reason, isRestarted }: Failure): Notice {
  const known = UNITS[unit];
  const what = isRestarted ? again(unit, host) : (known?.text(host) ?? forGood(unit, host));
  return {
    ...{ id: `unit-${at}`, kind: "unit", state: "happened", severity: known?.severity ?? "critical" },
    ...{ title: `${unit} ${isRestarted ? "fails again and again" : "has failed"}` },
    ...{ since: new Date(at).toISOString(), details: { unit, host } },
    text: `${what} ${reason === null ? "" : `It said: ${reason}. `}The reason is in: journalctl -u ${unit} -n 50`,
  };
}

const forGood = (unit: string, host: string) =>
  `${unit} on ${host} has failed, and systemd does not start it again: only a human can change the reason. Until it is started again, customers get no answers.`;

const again = (unit: string, host: string) =>
  `${unit} on ${host} has failed again and again for some minutes. systemd goes on starting it, but it does not stay; meanwhile customers get no answers, or late ones.`;
