/** A command of a script, without its redirections: its words as the shell would hand them over, and the files it reads or writes. */
export interface SimpleCommand {
  words: string[];
  files: string[];
}

/** What stands for the output of a command inside of a word. */
const OUTPUT = "…";

/**
 * The commands of a shell script, in order, those in pipes, lists, loops and `$( )` too. It knows as much of the shell as the
 * runbook uses. Throws an Error at what it does not know, so that nothing is left out without a word.
 */
export function commandsIn(script: string): SimpleCommand[] {
  const commands: SimpleCommand[] = [];
  let current: SimpleCommand = { words: [], files: [] };
  let word: string | null = null;
  let isFile = false;
  let at = 0;

  const endWord = () => {
    if (word === null) return;
    if (isFile) current.files.push(word);
    else current.words.push(word);
    word = null;
    isFile = false;
  };
  const endCommand = () => {
    endWord();
    if (current.words.length > 0) commands.push(current);
    current = { words: [], files: [] };
  };
  /** The text up to this mark, which is passed over. */
  const upTo = (mark: string) => {
    const end = script.indexOf(mark, at);
    if (end < 0) throw new Error(`${mark} is missing: ${script.slice(at, at + 40)}`);
    const text = script.slice(at, end);
    at = end + mark.length;
    return text;
  };
  /** Of `$(…)`, without another one inside. */
  const inner = () => {
    commands.push(...commandsIn(upTo(")")));
    return OUTPUT;
  };
  const quoted = () => {
    let text = "";
    for (;;) {
      const char = script[at++];
      if (char === undefined) throw new Error('a " is missing');
      if (char === '"') return text;
      if (char === "\\") text += script[at++];
      else if (char === "$" && script[at] === "(") {
        at += 1;
        text += inner();
      } else text += char;
    }
  };

  while (at < script.length) {
    const char = script[at++] ?? "";
    if (char === "\\") {
      const next = script[at++];
      if (next !== "\n") word = `${word ?? ""}${next}`;
    } else if (char === "#" && word === null)
      at = script.indexOf("\n", at) < 0 ? script.length : script.indexOf("\n", at);
    else if (char === "'") word = `${word ?? ""}${upTo("'")}`;
    else if (char === '"') word = `${word ?? ""}${quoted()}`;
    else if (char === "$" && script[at] === "(") {
      at += 1;
      word = `${word ?? ""}${inner()}`;
    } else if (char === "<" && script[at] === "<") throw new Error("a here-document is not known here");
    else if (char === ">" || char === "<") {
      // The number of a stream.
      if (/^\d$/.test(word ?? "")) word = null;
      endWord();
      if (script[at] === ">") at += 1;
      isFile = true;
    } else if (char === " " || char === "\t") endWord();
    else if ("\n;|&".includes(char)) endCommand();
    else word = `${word ?? ""}${char}`;
  }
  endCommand();
  return commands;
}
