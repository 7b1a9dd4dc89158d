import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { freePort } from "../hotbags/port.ts";
import { startPostgres } from "../setup/postgres.ts";
import { until } from "../until.ts";

/** In PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

/** An authority of the test's own, which signs certificates. */
export interface Authority extends Disposable {
  /** The file with its own certificate. */
  path: string;
  /** A certificate for this host, with its key. */
  sign(host: string): Certificate;
}

/** Makes one. Two of one name differ by their keys alone. */
export function makeAuthority(name = "an authority of the tests"): Authority {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-authority-"));
  const [path, caKey] = [join(folder, "ca.pem"), join(folder, "ca-key.pem")];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const openssl = (...args: readonly string[]) => execFileSync("openssl", [...made, ...args], { stdio: "pipe" });
  openssl("-subj", `/CN=${name}`, "-keyout", caKey, "-out", path);
  return {
    path,
    sign(host) {
      const [key, cert] = [join(folder, `${host}-key.pem`), join(folder, `${host}.pem`)];
      const signed = ["-CA", path, "-CAkey", caKey, "-addext", "basicConstraints=critical,CA:FALSE"];
      const names = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
      openssl(...signed, ...names, "-keyout", key, "-out", cert);
      return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

/** A real PostgreSQL on loopback that takes nobody who comes by a port without encryption. */
export interface EncryptedServer extends AsyncDisposable {
  /** The address of its database by that name or number of this machine. */
  url(host: string, query: string): string;
  /** From now on it has this certificate; null: it knows of no encryption. */
  shows(certificate: Certificate | null): Promise<void>;
  /** Ends all connections. */
  hangUp(): Promise<void>;
}

/** Starts one that shows this certificate; a sentence where there is none to be had. */
export async function startEncryptedServer(certificate: Certificate): Promise<EncryptedServer | string> {
  const port = await freePort();
  const postgres = await startPostgres({ more: [`port=${port}`, "listen_addresses=127.0.0.1"] });
  if (typeof postgres === "string") return postgres;
  writeFileSync(
    join(postgres.host, "data", "pg_hba.conf"),
    "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
  );
  const url = `postgres://postgres@/postgres?host=${postgres.host}&port=${port}`;
  const others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL";
  const self: EncryptedServer = {
    url: (host, query) => `postgres://postgres@${host}:${port}/postgres?${query}`,
    shows: (shown) => show(postgres.host, url, shown),
    hangUp: async () => void (await ask(url, others)),
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
  await self.shows(certificate);
  return self;
}

async function ask<R extends object>(url: string, statement: string): Promise<R[]> {
  const connection = new Connection({ url, connections: 1 });
  return await connection.rows<R>(statement).finally(() => connection.close());
}

async function show(host: string, url: string, shown: Certificate | null): Promise<void> {
  const name = randomUUID();
  const settings: Record<string, string> = { ssl: "off" };
  if (shown) {
    Object.assign(settings, { ssl: "on", ssl_cert_file: join(host, name), ssl_key_file: join(host, `${name}-key`) });
    writeFileSync(join(host, name), shown.cert);
    writeFileSync(join(host, `${name}-key`), shown.key, { mode: 0o600 });
    // The server is not the one who runs the tests where that one is root.
    const { uid, gid } = statSync(host);
    for (const file of [name, `${name}-key`]) chownSync(join(host, file), uid, gid);
  }
  for (const [setting, value] of Object.entries(settings)) await ask(url, `ALTER SYSTEM SET ${setting} = '${value}'`);
  await ask(url, "SELECT pg_reload_conf()");
  for (const [setting, value] of Object.entries(settings))
    await until(
      `${setting} is ${value}`,
      async () => {
        const [row] = await ask<{ value: string }>(url, `SELECT current_setting('${setting}') AS value`);
        return row?.value === value;
      },
      60_000,
    );
}
