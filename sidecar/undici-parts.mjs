// What the bundle has in place of `undici`: its HTTP client, without its fetch, WebSocket, caches and mocks, which would be
// loaded at each start and used by nobody. What is imported besides has no place here, and the build says so.
import request from "undici/lib/api/api-request.js";
import errors from "undici/lib/core/errors.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import Pool from "undici/lib/dispatcher/pool.js";
import redirect from "undici/lib/interceptor/redirect.js";

// As undici's own index.js does.
Object.assign(Dispatcher.prototype, { request });

const interceptors = { redirect };

export { Agent, errors, interceptors, Pool };
