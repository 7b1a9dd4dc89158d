import { rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { BEARER_TOKEN } from "../shop/shop.ts";
import { startWhatsApp, type WhatsApp } from "../whatsapp/index.ts";
import type { Machine } from "./machine.ts";

/** Where the machine sees the folder of the sockets. */
const SOCKETS = "/run/far-ends";
/** Where it sees the modules that are loaded into its gateway. */
const DOUBLES = "/usr/local/lib/hotbags-doubles";

/** What is beyond the machine: it outlives each boot of it, as the real ones do. */
export interface FarEnds {
  whatsapp: WhatsApp;
  hotbags: HotBags;
  /** For the programs that install, and for no unit: the way to npm's registry. */
  registryEnvironment: Record<string, string>;
  /** Has a machine find them, from its next boot on. */
  appearOn(machine: Machine): Promise<void>;
}

/**
 * Starts the doubles, and a proxy that leads to npm's registry and nowhere else. The machine has no network: it reaches each by a port of
 * its own loopback, which its systemd forwards to a socket in `folder`.
 */
export async function startFarEnds(folder: string, registry: string): Promise<FarEnds> {
  const whatsapp = await startWhatsApp();
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  const proxy = await startRegistryProxy(new URL(registry).hostname);
  const { OPENCLAW_WHATSAPP_WEB_SOCKET_URL = "", ...doubleEnvironment } = whatsapp.gatewayEnv();
  const ports = {
    whatsapp: Number(new URL(OPENCLAW_WHATSAPP_WEB_SOCKET_URL).port),
    hotbags: Number(new URL(hotbags.url).port),
    registry: (proxy.address() as AddressInfo).port,
  };
  await Promise.all(Object.entries(ports).map(([name, port]) => forward(join(folder, `${name}.sock`), port)));
  const gatewayEnvironment: Record<string, string> = {
    ...doubleEnvironment,
    OPENCLAW_WHATSAPP_WEB_SOCKET_URL,
    NODE_OPTIONS: `--import=${DOUBLES}/loopback-only.mjs --import=${DOUBLES}/preload.mjs`,
  };
  return {
    whatsapp,
    hotbags,
    registryEnvironment: {
      HTTPS_PROXY: `http://127.0.0.1:${ports.registry}`,
      npm_config_registry: registry,
      ...(process.env["NODE_EXTRA_CA_CERTS"] && { NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"] }),
    },
    async appearOn(machine) {
      for (const [name, port] of Object.entries(ports)) {
        const proxyd = `/lib/systemd/systemd-socket-proxyd ${SOCKETS}/${name}.sock`;
        await machine.write(`/etc/systemd/system/far-${name}.service`, `[Service]\nExecStart=${proxyd}\n`);
        await machine.write(`/etc/systemd/system/far-${name}.socket`, `[Socket]\nListenStream=127.0.0.1:${port}\n`);
        await machine.write(
          `/etc/systemd/system/sockets.target.d/far-${name}.conf`,
          `[Unit]\nWants=far-${name}.socket\n`,
        );
      }
      const lines = Object.entries(gatewayEnvironment).map(([name, value]) => `Environment="${name}=${value}"\n`);
      await machine.write(
        "/etc/systemd/system/openclaw-gateway.service.d/doubles.conf",
        `[Service]\n${lines.join("")}`,
      );
    },
  };
}

/** Files of this repository and of this machine that the machine under test needs, by their path there. */
export function bindsOf(repository: string, socketsFolder: string): Record<string, string> {
  const certificates = process.env["NODE_EXTRA_CA_CERTS"];
  return {
    [SOCKETS]: socketsFolder,
    [`${DOUBLES}/preload.mjs`]: join(repository, "test", "whatsapp", "preload.mjs"),
    [`${DOUBLES}/loopback-only.mjs`]: join(repository, "test", "openclaw", "loopback-only.mjs"),
    ...(certificates && { [certificates]: certificates }),
  };
}

/** A socket of this file that leads to a port of this machine. */
function forward(path: string, port: number): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one
        .on("error", () => other.destroy())
        .on("close", () => other.destroy())
        .pipe(other);
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

function startRegistryProxy(host: string): Promise<Server> {
  const server = createHttpServer((_, response) => response.writeHead(403).end());
  server.on("connect", (request, near, head) => {
    if (request.url !== `${host}:443`) return void near.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const far = connect(443, host, () => {
      near.write("HTTP/1.1 200 OK\r\n\r\n");
      far.write(head);
      far.pipe(near).pipe(far);
    });
    far.on("error", () => near.destroy());
    near.on("error", () => far.destroy());
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
