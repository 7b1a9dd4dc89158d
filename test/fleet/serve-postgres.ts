import type { TestProject } from "vitest/node";
import prepareUnitTests from "../setup/prepare-unit-tests.ts";
import { startDatabases } from "./databases.ts";

/** Starts one PostgreSQL for all files of the project, and names it to them. Returns how to end it. */
export default async function servePostgres(_: TestProject): Promise<() => Promise<void>> {
  prepareUnitTests();
  const databases = await startDatabases();
  process.env["HOTBAGS_TEST_POSTGRES"] = typeof databases === "string" ? databases : databases.host;
  return async () => {
    if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
  };
}
