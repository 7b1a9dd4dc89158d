// Preloaded into a sidecar under test (--import): what it looks at every few seconds, its own state and the gateway's, it looks at
// many times a second, so that a test of many alerts does not wait for each look.
const LOOK_MS = 50;
const every = globalThis.setInterval;
const after = globalThis.setTimeout;
globalThis.setInterval = (call, ms, ...args) => every(call, ms === 5_000 ? LOOK_MS : ms, ...args);
globalThis.setTimeout = (call, ms, ...args) => after(call, ms === 3_000 ? LOOK_MS : ms, ...args);
