/** What a script can tell by. Part of the command's interface: see `hotbags --help`. */
export const EXIT = {
  ok: 0,
  /** It was done, and the answer is no: not healthy, not all could be repaired, no such message. */
  no: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nobody can be asked: no sidecar and no database, or this user may not. */
  unreachable: 3,
  /** The settings won't do, or only a human can change it, so that a restart does not help (EX_CONFIG of sysexits.h). */
  config: 78,
} as const;

/** Ends the command. `message`: for the operator, a whole sentence. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
