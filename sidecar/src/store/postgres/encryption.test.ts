import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeAuthority } from "../../../../test/fleet/authority.ts";
import { readAddress } from "./encryption.ts";

// What node-postgres makes of an address as it is given to it. test/fleet/encryption.test.ts has the same with a server.

const authority = makeAuthority();
const folder = mkdtempSync(join(tmpdir(), "hotbags-encryption-"));
afterAll(() => {
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** How a connection to the address is encrypted: what `tls.connect` is told. */
function encryption(address: string): unknown {
  return connected(readAddress(address)).ssl;
}

function connected({ url, Client }: ReturnType<typeof readAddress>) {
  const client = new Client({ connectionString: url });
  return (client as unknown as { connectionParameters: { ssl: unknown; host: string; port: number; database: string } })
    .connectionParameters;
}

const HERE = "postgres://bridge:s%23cret@db.example:6543/bridge";

it.each([
  [HERE, false],
  [`${HERE}?ssl=true`, true],
  [`${HERE}?sslmode=disable`, false],
  [`${HERE}?sslmode=disable&sslrootcert=${authority.path}`, false],
  [`${HERE}?sslmode=verify-full`, {}],
  [`${HERE}?sslmode=require`, {}],
  [`${HERE}?sslmode=verify-ca&ssl=no-verify`, {}],
  [`${HERE}?sslmode=verify-full&sslrootcert=system`, {}],
  [`${HERE}?sslmode=no-verify`, { rejectUnauthorized: false }],
  [`${HERE}?sslrootcert=${authority.path}`, { ca: expect.stringContaining("BEGIN CERTIFICATE") }],
])("%s", (address, options) => {
  expect(encryption(address)).toEqual(options);
});

it("leaves the rest of the address as it is, in each form that there is", () => {
  expect(connected(readAddress(`${HERE}?application_name=a%20b&sslmode=require`))).toMatchObject({
    ...{ host: "db.example", port: 6543, database: "bridge", password: "s#cret", application_name: "a b" },
  });
  expect(connected(readAddress("postgres://bridge@/bridge?host=/run/postgresql&sslmode=disable"))).toMatchObject({
    ...{ host: "/run/postgresql", database: "bridge" },
  });
});

it("says what is wrong with a file, and goes on with what it has read before", () => {
  const path = join(folder, "ca.pem");
  const { url, Client } = readAddress(`${HERE}?sslmode=verify-full&sslrootcert=${path}`);
  const ssl = () => connected({ url, Client }).ssl;
  expect(ssl).toThrow(/^sslrootcert=\S+ca\.pem of the address can't be read \(ENOENT\): put the file there/);
  writeFileSync(path, "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n");
  expect(ssl).toThrow(/has a certificate in it that can't be read \(ERR_\w+\): get it anew/);
  writeFileSync(path, "");
  expect(ssl).toThrow(/has no certificate in it: it has to be a file in PEM/);
  const { cert, key } = authority.sign("db.example");
  writeFileSync(path, cert);
  expect(ssl()).toEqual({ ca: cert });
  rmSync(path);
  expect(ssl()).toEqual({ ca: cert });
  writeFileSync(path, key);
  // node-postgres hides it from whoever lists it.
  expect((encryption(`${HERE}?sslmode=verify-full&sslkey=${path}`) as { key: string }).key).toBe(key);
});
