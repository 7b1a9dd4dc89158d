import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server on loopback that stands for one on the internet. */
export interface HttpsServer {
  /** `https://localhost:<port>`, or with the name that was asked for. */
  readonly origin: string;
  /** Its own certificate. */
  readonly ca: string;
  /** What it does with each request. */
  answer: RequestListener;
  asked: { path: string; headers: IncomingHttpHeaders }[];
  close(): Promise<void>;
}

export async function startHttpsServer(name = "localhost"): Promise<HttpsServer> {
  const { key, cert } = makeCertificate(name);
  const server = createServer({ key, cert }, (request, response) => {
    self.asked.push({ path: request.url ?? "", headers: request.headers });
    self.answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const self: HttpsServer = {
    origin: `https://${name}:${(server.address() as AddressInfo).port}`,
    ca: cert,
    answer: (_, response) => response.writeHead(404).end(),
    asked: [],
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return self;
}

/** A self-signed one, with its key. */
function makeCertificate(name: string): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-https-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const names = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name},IP:127.0.0.1`];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  try {
    execFileSync("openssl", ["req", "-x509", ...made, "-keyout", key, "-out", cert, ...names], { stdio: "pipe" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
