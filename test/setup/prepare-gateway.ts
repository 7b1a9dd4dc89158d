import { ensureStateTemplate } from "../openclaw/state-template.ts";

// Half a minute of waiting for the registry that `npm test` spends beside the unit tests.
await ensureStateTemplate(console.log);
