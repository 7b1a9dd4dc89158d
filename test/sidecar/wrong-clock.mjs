// Preloaded into a sidecar under test (--import): its wall clock shows another time, as far away as HOTBAGS_TEST_CLOCK_MS says.
const offsetMs = Number(process.env["HOTBAGS_TEST_CLOCK_MS"] ?? 0);
const now = Date.now.bind(Date);
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [now() + offsetMs] : args));
  }
  static now() {
    return now() + offsetMs;
  }
};
