import { request } from "node:http";
import { json } from "node:stream/consumers";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";

/** Asks a running sidecar's operator API, without a process of the `hotbags` command. `path` is as it is on the wire. */
export function askOperator<Answer>(stateDir: string, method: "GET" | "POST", path: string, body?: object) {
  return new Promise<Answer>((resolve, reject) => {
    const call = request({ socketPath: operatorSocketOf(stateDir), method, path }, (response) => {
      json(response).then((answer) => resolve(answer as Answer), reject);
    });
    call.on("error", reject);
    call.end(body && JSON.stringify(body));
  });
}
