import { CliError, EXIT } from "./exit-code.ts";

const SHELLS = ["bash", "zsh", "fish"];

/** yargs' own command has no help: it prints the script instead. */
export const COMPLETION_HELP = `hotbags completion [shell]

Prints what a shell needs to complete commands, options and states. Without a name: for the shell in $SHELL.

  bash  hotbags completion bash >> ~/.bashrc
  zsh   hotbags completion zsh >> ~/.zshrc   (below compinit, which it needs)
  fish  hotbags completion fish > ~/.config/fish/completions/hotbags.fish

It counts in shells that are started afterwards.
`;

/**
 * Which shell's script `hotbags completion` is to print, as a SHELL; null: its help. yargs gives every other shell the
 * script of bash, which it can't read. `args`: behind `completion`. Throws CliError.
 */
export function shellFor(args: string[], shell = "bash"): string | null {
  if (args.includes("--help") || args.includes("-h")) return null;
  const [named = shell, ...others] = args;
  if (others.length === 0 && SHELLS.some((known) => named === known || named.endsWith(`/${known}`))) return named;
  throw new CliError(
    EXIT.usage,
    `there is no completion for ${[named, ...others].join(" ")}, only for bash, zsh and fish: hotbags completion bash prints that of bash`,
  );
}
