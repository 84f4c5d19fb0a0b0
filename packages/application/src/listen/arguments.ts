import { OptionError } from '../options.ts'

/** Where command line arguments say to listen. */
export type ArgvChoice =
  | { mode: 'stdio' }
  | { mode: 'unix'; path: string }
  | { mode: 'tcp'; host: string; port: number }

const SWITCHES = ['mode', 'port', 'host', 'unix'] as const
type Switch = (typeof SWITCHES)[number]

/**
 * Reads `-mode=tcp|unix|stdio -port=N -host=ADDRESS -unix=PATH`, with one or two dashes and `=` or a space; other
 * arguments are the program's. Without -mode it follows from the others.
 * @throws OptionError that names the switch.
 */
export function readArguments(argv: readonly string[]): ArgvChoice {
  const given = readSwitches(argv)
  const mode =
    given.mode ?? (given.port !== undefined ? 'tcp' : given.unix !== undefined ? 'unix' : 'stdio')
  if (mode === 'stdio') return { mode }
  if (mode === 'unix') {
    if (!given.unix)
      throw new OptionError('-mode=unix needs the path of the socket: -unix=/run/app.sock')
    return { mode, path: given.unix }
  }
  if (mode !== 'tcp') throw new OptionError(`-mode=${mode}: there are tcp, unix and stdio`)
  const port = Number(given.port ?? Number.NaN)
  if (!given.port || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new OptionError(`-mode=tcp needs -port=N, 0 to 65535; got ${given.port ?? 'none'}`)
  return { mode, host: given.host || '127.0.0.1', port }
}

function readSwitches(argv: readonly string[]): Partial<Record<Switch, string>> {
  const given: Partial<Record<Switch, string>> = {}
  for (const [at, argument] of argv.entries()) {
    const match = /^--?(mode|port|host|unix)(?:=(.*))?$/s.exec(argument)
    const name = SWITCHES.find((known) => known === match?.[1])
    if (name !== undefined) given[name] = match?.[2] ?? argv[at + 1] ?? ''
  }
  return given
}
