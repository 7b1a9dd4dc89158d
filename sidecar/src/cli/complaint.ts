/** What is said of a command line that yargs does not take. `help`: the help of the command that `args` are about. */
export function complaintOf(message: string, help: string, args: readonly string[] = []): string {
  const [usage = ""] = help.split("\n");
  // Of "hotbags messages show <id>" the words.
  const command = usage.split(/ [<[]/)[0]?.trim() || "hotbags";
  const more = `see ${command} --help`;
  const option = /^Not enough arguments following: (\S+)/.exec(message)?.[1];
  if (option !== undefined) return `--${option} wants a value; ${more}`;
  const unknown = /^Unknown (?:argument|command)s?: ?\n?(.*)$/s.exec(message)?.[1];
  if (unknown !== undefined) return `${whatIsUnknown(unknown.split(/, */), help, args)}; ${more}`;
  if (!message.startsWith("Not enough non-option arguments")) return `${message.replace(/\n/g, " ")}; ${more}`;
  const example = /^Examples:\n +(.+?)(?: {2,}|$)/m.exec(help)?.[1];
  const such = example === undefined ? "" : `, such as ${example}`;
  return `an argument is missing: ${usage.trim()}${such}; ${more}`;
}

/** yargs gives options without their dashes, and those with one inside twice. */
function whatIsUnknown(names: string[], help: string, args: readonly string[]): string {
  const options = args
    .map((arg) => arg.split("=")[0] ?? "")
    .filter((arg) => arg.startsWith("-") && names.includes(arg.replace(/^-+/, "")));
  if (options.length > 0) return `there is no option ${options.join(", ")}`;
  const isCommand = /^Commands:$/m.test(help);
  return isCommand ? `there is no command ${names.join(" ")}` : `${names.join(" ")} is an argument too many`;
}

/** Names that the command line does not have: they are of every command. */
const OF_YARGS = new Set(["_", "$0"]);

/** Options that mean something without a value, too. */
const MAY_BE_EMPTY = new Set(["to", "back"]);

/** What is wrong with the values of options, whichever command they are of; null: nothing. `several`: options that may be. */
export function mistakeIn(given: Record<string, unknown>, several: ReadonlySet<string>): string | null {
  for (const [name, value] of Object.entries(given)) {
    if (OF_YARGS.has(name) || several.has(name)) continue;
    if (value === "" && !MAY_BE_EMPTY.has(name)) return `${optionOf(name)} wants a value`;
    if (Array.isArray(value)) return `${optionOf(name)} is there more than once`;
  }
  return null;
}

function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What the API's fields are called on the command line. */
const FIELDS: Record<string, string> = {
  state: "--state",
  chat: "--chat",
  since: "--since",
  before: "--limit",
  limit: "--limit",
  for_seconds: "--for",
  account_id: "--account",
  chat_id: "the chat",
  number: "the number",
  ids: "the ids",
};

/** What the API says of a request's fields, as whoever wrote the command line knows them. */
export function inOptions(said: string): string {
  return said.replace(/(^|; )([a-z_]+)(?:\.\d+)?: /g, (whole, before: string, field: string) => {
    const option = FIELDS[field];
    return option === undefined ? whole : `${before}${option}: `;
  });
}
