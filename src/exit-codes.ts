/** The exit codes of the server and of every command. */
export const EXIT_CODES = {
  ok: 0,
  /** The command failed: a port is in use, the upstream fails, a file cannot be read. */
  failed: 1,
  /** Invalid arguments or settings. */
  usage: 2,
} as const
