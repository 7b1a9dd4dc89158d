import { assert, type Case } from "./case.ts";
import { GATEWAY, type ShopMachine, SIDECAR } from "./shop-machine.ts";

/** Each file and link of the system with its mode, owner, size and time of change, and the settings; folders only by their names. */
async function fingerprint({ machine }: ShopMachine): Promise<string> {
  const files = "-printf '%p %y %M %u %g %s %T@ %l\\n'";
  const folders = "-type d -printf '%p %M %u %g\\n'";
  return machine.must(
    `find /etc /opt /usr /var/lib/openclaw/.openclaw/openclaw.json -xdev ${folders} -o ${files} 2>/dev/null | sort`,
  );
}

function difference(before: string, after: string): string {
  const [was, is] = [before.split("\n"), after.split("\n")];
  const gone = was.filter((line) => !is.includes(line)).map((line) => `- ${line}`);
  return [...gone, ...is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`)].slice(0, 20).join("\n");
}

const dryRun: Case = {
  name: "dry-run",
  promise: "on a bare machine --dry-run says what it would do, and does nothing",
  on: "bare",
  leaves: "bare",
  async run(shop, { current }) {
    const look = async () => `${await shop.machine.must("ls -A /etc /opt /var/lib /usr/local/bin; dpkg-query -W")}`;
    const before = await look();
    const { code, stdout, stderr } = await shop.install(current, "--dry-run");
    assert(code === 0 && /would write: .*hotbags-sidecar\.service/.test(stdout), `it said:\n${stdout}${stderr}`);
    const after = await look();
    assert(before === after, `it changed:\n${difference(before, after)}`);
  },
};

const install: Case = {
  name: "install",
  promise: "install.sh takes a bare machine to two running units",
  on: "bare",
  leaves: "installed",
  async run(shop, { current }) {
    const { code, stdout, stderr } = await shop.install(current);
    assert(code === 0, `it ended with code ${code}:\n${stdout}${stderr}`);
    await shop.answers();
    for (const unit of [SIDECAR, GATEWAY] as const) {
      const { ActiveState } = await shop.unit(unit);
      assert(ActiveState === "active", `${unit} is ${ActiveState}`);
    }
    assert(/hotbags relink --qr/.test(stdout), `it does not say how the phone is linked:\n${stdout}`);
  },
};

const link: Case = {
  name: "link",
  promise: "a code is offered, a phone scans it, and hotbags doctor has nothing to find fault with",
  on: "installed",
  leaves: "answering",
  async run(shop) {
    await shop.link();
    await shop.healthy();
    const { code, stdout, stderr } = await shop.machine.run("hotbags doctor");
    assert(code === 0, `hotbags doctor ended with code ${code}:\n${stdout}${stderr}`);
  },
};

const again: Case = {
  name: "again",
  promise: "install.sh run again, and with --dry-run, changes no file and restarts nothing",
  on: "answering",
  leaves: "answering",
  async run(shop, { current }) {
    const pids = async () =>
      (await Promise.all([shop.unit(SIDECAR), shop.unit(GATEWAY)])).map(({ MainPID }) => MainPID).join();
    const before = [await fingerprint(shop), await pids()] as const;
    for (const options of [["--dry-run"], []]) {
      const { code, stdout, stderr } = await shop.install(current, ...options);
      assert(code === 0, `it ended with code ${code}:\n${stdout}${stderr}`);
      const after = await fingerprint(shop);
      assert(before[0] === after, `it changed:\n${difference(before[0], after)}\n${stdout}`);
      assert(before[1] === (await pids()), `it restarted something:\n${stdout}`);
    }
  },
};

const uninstall: Case = {
  name: "uninstall",
  promise: "--uninstall leaves the data, and a new installation goes on with it",
  on: "answering",
  leaves: "answering",
  async run(shop, { current }) {
    const { code, stdout, stderr } = await shop.install(current, "--uninstall");
    assert(code === 0, `it ended with code ${code}:\n${stdout}${stderr}`);
    const left = await shop.machine.must(
      "ls -d /opt/hotbags* /etc/systemd/system/hotbags* /usr/local/bin/hotbags* 2>/dev/null || true",
    );
    assert(left === "", `this is left: ${left}`);
    await shop.machine.must("test -s /var/lib/hotbags/bridge.sqlite && test -s /etc/hotbags/secrets/BRIDGE_TOKEN");
    await shop.far.appearOn(shop.machine);
    const anew = await shop.install(current);
    assert(anew.code === 0, `it ended with code ${anew.code}:\n${anew.stdout}${anew.stderr}`);
    await shop.healthy();
    await shop.roundTrip();
  },
};

const purge: Case = {
  name: "purge",
  promise: "--uninstall --purge leaves nothing but Node and OpenClaw",
  on: "answering",
  leaves: "cleared",
  async run(shop, { current }) {
    const { code, stdout, stderr } = await shop.install(current, "--uninstall", "--purge");
    assert(code === 0, `it ended with code ${code}:\n${stdout}${stderr}`);
    // But what is the test's own, the journal, and the backups, which it says.
    const ours = [
      ...["/usr/local/lib/hotbags-doubles*", "/etc/systemd/system/*far-*"],
      ...["/var/log/*", "/var/backups/*"],
    ].map((path) => `'${path}'`);
    const others = ["~root/'*'", ...ours].map((path) => `-not -path ${path}`).join(" ");
    const { stdout: left } = await shop.machine.run(
      `find / -xdev \\( -name '*hotbags*' -o -nouser -o -nogroup \\) ${others}; getent passwd hotbags openclaw; getent group hotbags-bridge`,
    );
    assert(left === "", `this is left:\n${left}`);
  },
};

/** In this order: each leaves to the next what that needs. */
export const INSTALL_CASES: readonly Case[] = [dryRun, install, link, again];
export const UNINSTALL_CASES: readonly Case[] = [uninstall, purge];
