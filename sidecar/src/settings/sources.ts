import { statSync } from "node:fs";
import { join } from "node:path";
import { readSecretFile, SecretFileError } from "../checks/secret-files.ts";
import type { EnvFile } from "./env-file.ts";
import { SETTING_NAMES, type SettingName, settingOf } from "./schema.ts";

/** Where a setting's text is from. */
export type SourceKind = "environment" | "env_file" | "file" | "credential" | "default";

export interface Source {
  kind: SourceKind;
  /** Of the file; null where there is none. */
  path: string | null;
}

/** What was found of one setting. */
export interface Entry {
  name: SettingName;
  /** Undefined: it is not set, and there is no default, or it can't be had. */
  text: string | undefined;
  /** Null: it is not set, and there is no default. */
  source: Source | null;
}

/** What is read: the environment, and the file of `--env-file`, if there is one. */
export interface Given {
  environment: NodeJS.ProcessEnv;
  envFile: EnvFile | null;
}

export interface Found {
  entries: Entry[];
  /** Why something can't be had: a sentence each, that begins with the setting. */
  mistakes: string[];
}

/** A place in which a setting may be, and how its text is had from there. */
interface Place {
  /** As a sentence has it. */
  words: string;
  source: Source;
  read(): string;
}

/**
 * Finds the text of every setting. The environment goes before the env file, as with Node's own; but a secret is in one
 * place alone, or one would be replaced and another one go on counting. An empty variable counts as unset, as it does
 * for systemd. Never throws, and says nothing of what is in a file.
 */
export function findSettings({ environment, envFile }: Given): Found {
  const mistakes: string[] = [];
  const entries = SETTING_NAMES.map((name): Entry => {
    const { secret, default: text } = settingOf(name);
    const places = [
      ...placesIn(environment, name, "the environment", { kind: "environment", path: null }),
      ...(envFile ? placesIn(envFile.variables, name, envFile.path, { kind: "env_file", path: envFile.path }) : []),
      ...(secret ? credentialsOf(name, environment["CREDENTIALS_DIRECTORY"]) : []),
    ];
    const [place] = places;
    if (!place)
      return text === undefined
        ? { name, text, source: null }
        : { name, text, source: { kind: "default", path: null } };
    const { source } = place;
    if (secret && places.length > 1) {
      mistakes.push(`${name}: is in more than one place (${places.map(({ words }) => words).join(", ")}); leave one`);
      return { name, text: undefined, source };
    }
    try {
      return { name, text: place.read(), source };
    } catch (error) {
      if (!(error instanceof SecretFileError)) throw error;
      mistakes.push(`${source.kind === "file" ? `${name}_FILE` : name}: ${error.message}`);
      return { name, text: undefined, source };
    }
  });
  return { entries, mistakes };
}

function placesIn(
  variables: Readonly<Record<string, string | undefined>>,
  name: SettingName,
  words: string,
  source: Source,
): Place[] {
  const text = variables[name];
  const path = settingOf(name).secret ? variables[`${name}_FILE`] : undefined;
  const places: Place[] = [];
  if (text) places.push({ words, source, read: () => text });
  if (path) places.push({ words: `${name}_FILE`, source: { kind: "file", path }, read: () => readSecretFile(path) });
  return places;
}

/** What systemd hands over by LoadCredential=, under the setting's own name. */
function credentialsOf(name: SettingName, folder: string | undefined): Place[] {
  if (!folder) return [];
  const path = join(folder, name);
  if (!isThere(path)) return [];
  return [{ words: "a credential", source: { kind: "credential", path }, read: () => readSecretFile(path) }];
}

/** Also where nobody may look: the reading says why. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
