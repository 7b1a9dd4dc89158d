import type { Output } from "../operator/schemas.ts";
import { judgeSettings, type Reading, type Settings } from "../settings.ts";
import { settingOf } from "./schema.ts";
import { type ShownSettings, showSettings } from "./shown-settings.ts";

/** A reading without a mistake. */
export type GoodReading = Reading & { settings: Settings };

/** What came of a reload: names of settings, and sentences. */
export type Reloaded = Output<"reload">;

/** The settings that the sidecar uses, and those that it would read now. */
export class SettingsInUse {
  #reading: GoodReading;
  readonly #read: () => Reading;

  /** `read`: reads them anew, from where the first reading had them. */
  constructor(reading: GoodReading, read: () => Reading) {
    this.#reading = reading;
    this.#read = read;
  }

  get settings(): Settings {
    return this.#reading.settings;
  }

  /**
   * Reads them anew. What can be taken over while messages flow is in use then, and `adopt` is told; what can't is named.
   * With a mistake anywhere nothing changes.
   */
  reload(adopt: (settings: Settings) => void): Reloaded {
    const next = this.#read();
    const merged = this.#reading.entries.map((entry, n) => {
      const now = next.entries[n] ?? entry;
      return settingOf(entry.name).reloadable ? now : entry;
    });
    const { settings, mistakes } = next.settings ? judgeSettings(merged) : next;
    if (!settings) return { changed: [], needs_restart: [], mistakes };
    const differing = next.entries.filter(({ text }, n) => text !== this.#reading.entries[n]?.text);
    const namesOf = (reloadable: boolean) =>
      differing.map(({ name }) => name).filter((name) => (settingOf(name).reloadable === true) === reloadable);
    const changed = namesOf(true);
    const needs_restart = namesOf(false);
    this.#reading = { ...this.#reading, entries: merged, settings };
    if (changed.length > 0) adopt(settings);
    return { changed, needs_restart, mistakes: [] };
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
