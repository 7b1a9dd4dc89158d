import type { Reading, Settings } from "../settings.ts";
import { type ShownSettings, showSettings } from "./shown-settings.ts";

/** A reading without a mistake. */
export type GoodReading = Reading & { settings: Settings };

/** The settings that the sidecar uses, and those that it would read now. */
export class SettingsInUse {
  readonly #reading: GoodReading;
  readonly #read: () => Reading;

  /** `read`: reads them anew, from where the first reading had them. */
  constructor(reading: GoodReading, read: () => Reading) {
    this.#reading = reading;
    this.#read = read;
  }

  get settings(): Settings {
    return this.#reading.settings;
  }

  /** Each setting as it is used, and as it is written now where that differs. Reads files. */
  show(): ShownSettings {
    const now = this.#read();
    const { entries, envFile } = this.#reading;
    return {
      env_file: envFile?.path ?? null,
      settings: showSettings(entries, now.entries),
      mistakes: now.mistakes,
    };
  }
}
