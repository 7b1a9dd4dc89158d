// Preloaded into a sidecar under test (--import): at each SIGUSR2 two hours have passed, by all clocks of the process. What it looks
// after once a minute it looks after ten times a second, so that it sees that at once.
const LEAP_MS = 2 * 3_600_000;
const MINUTE_MS = 60_000;

const now = Date.now.bind(Date);
const uptime = performance.now.bind(performance);
const every = globalThis.setInterval;
let leaptMs = 0;
process.on("SIGUSR2", () => {
  leaptMs += LEAP_MS;
});

globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [now() + leaptMs] : args));
  }
  static now() {
    return now() + leaptMs;
  }
};
performance.now = () => uptime() + leaptMs;
globalThis.setInterval = (call, ms, ...args) => every(call, ms === MINUTE_MS ? 100 : ms, ...args);
