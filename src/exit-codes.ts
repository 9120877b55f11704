/** The exit codes of the server and of every command. */
export const EXIT_CODES = {
  ok: 0,
  /** Could not do it: a port that is taken, an upstream that fails, a file that cannot be read. */
  failed: 1,
  /** Called wrongly: an unknown option or a wrong setting. */
  usage: 2,
} as const
