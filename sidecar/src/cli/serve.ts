import { once } from "node:events";
import { ListenError } from "../listening/listen-error.ts";
import { openLog } from "../log.ts";
import { ServiceManager } from "../service-manager.ts";
import { SettingsInUse } from "../settings/in-use.ts";
import { SettingsError, surveySettings } from "../settings.ts";
import { type Sidecar, startSidecar } from "../sidecar.ts";
import { StartCalledOffError } from "../starting.ts";
import { StoreUnusableError } from "../store/index.ts";
import { linesForPeople } from "./lines-for-people.ts";

/** Exit code for what only a human can change, so that no restart will mend it (EX_CONFIG of sysexits.h). */
const EX_CONFIG = 78;

/** `hotbags serve`: runs the sidecar until SIGTERM or SIGINT. Resolves with the exit code. */
export async function serve(environment: NodeJS.ProcessEnv, envFilePath?: string): Promise<number> {
  // A reason that can't be written, for a full disk, must not change the code it ends with: systemd would start it again and again.
  process.stderr.on("error", () => {});
  let systemd: ServiceManager | undefined;
  try {
    const read = () => surveySettings(environment, envFilePath);
    const { settings, ...reading } = read();
    if (!settings) throw new SettingsError(reading.mistakes);
    for (const [name, value] of Object.entries(reading.envFile?.others ?? {})) environment[name] ??= value;
    const log = openLog(settings.logLevel, undefined, await linesForPeople());
    systemd = new ServiceManager({ environment, log });
    // Heard from the first moment on: a signal without a listener would end the process where it stands.
    const told = new AbortController();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => told.abort());
    let sidecar: Sidecar | null = null;
    let isStale = false;
    process.on("SIGHUP", () => {
      isStale = true;
      void sidecar?.reload("SIGHUP");
    });
    systemd.starting();
    const started = await startSidecar(new SettingsInUse({ ...reading, settings }, read), log, told.signal);
    sidecar = started;
    systemd.ready(() => started.outage);
    // It was told while it waited for something.
    if (isStale) void started.reload("SIGHUP");
    const unusable = await untilTold(told.signal, started.unusable);
    systemd.stopping();
    sidecar = null;
    await started.stop();
    if (unusable) throw unusable;
    return 0;
  } catch (error) {
    if (error instanceof StartCalledOffError) return 0;
    if (error instanceof SettingsError) process.stderr.write(`hotbags: the settings won't do: ${error.message}\n`);
    else if (error instanceof StoreUnusableError || error instanceof ListenError)
      process.stderr.write(`hotbags: ${error.message}\n`);
    else throw error;
    return EX_CONFIG;
  } finally {
    systemd?.close();
  }
}

/** Resolves with why the sidecar can't go on; null: it was told to end. */
async function untilTold(
  signal: AbortSignal,
  unusable: Promise<StoreUnusableError>,
): Promise<StoreUnusableError | null> {
  if (signal.aborted) return null;
  return await Promise.race([once(signal, "abort").then(() => null), unusable]);
}
