// The command line of `fastcgi serve`: a directory, and options of the configuration as --name value.
import { OptionError } from '@fastcgi/client'
import { parseOptions } from '../command-line.ts'
import { type ConfigValues, OPTION_NAMES, optionPlace, place, readValue } from './option-values.ts'

/** What the command line says. */
export interface ServeArguments {
  readonly help: boolean
  /** Directory to serve, as it was written. */
  readonly directory: string | undefined
  /** Path of the configuration file. */
  readonly config: string | undefined
  readonly values: ConfigValues
}

const ACCESS_LOG = ['line', 'combined', 'json']

/** Parses the command line. @throws OptionError that names the option as it is written there. */
export function serveArguments(args: readonly string[]): ServeArguments {
  const given = args.map((arg, at) => accessLogFlag(arg, args[at + 1]))
  const names = [...OPTION_NAMES, ...given.flatMap(propertyName)]
  const { values, positionals } = parseOptions(given, parserOptions(names), true)
  const [directory, ...others] = positionals
  if (others.length > 0)
    throw new OptionError(
      `one directory can be served at a time; there are ${positionals.join(', ')}`,
    )
  if (directory !== undefined && values.root !== undefined)
    throw new OptionError('option --root and the directory are the same; give one of them')
  const { help, config, ...options } = values
  return {
    help: help === true,
    directory,
    config: Array.isArray(config) ? String(config.at(-1)) : undefined,
    values: configValues(options),
  }
}

/** `--access-log` may stand without a value. */
function accessLogFlag(arg: string, next: string | undefined): string {
  if (arg === '--no-access-log') return '--access-log=false'
  return arg === '--access-log' && !ACCESS_LOG.includes(next ?? '') ? '--access-log=true' : arg
}

/** The name in an argument such as `--timeouts.head=5`, if it is an option. */
function propertyName(arg: string): string[] {
  const [, name] = /^--(?:no-)?([a-z-]+\.[a-z-]+)(?:=|$)/.exec(arg) ?? []
  return name !== undefined && optionPlace(name) !== undefined ? [name] : []
}

/** Flags, which can be negated, and options with a value, which can be repeated. */
function parserOptions(names: readonly string[]) {
  const all = names.map((name) => {
    const isFlag = optionPlace(name)?.isFlag === true && name !== 'access-log'
    return [name, isFlag ? { type: 'boolean' } : { type: 'string', multiple: true }] as const
  })
  const options: Record<
    string,
    { type: 'boolean' | 'string'; multiple?: boolean; short?: string }
  > = {
    ...Object.fromEntries(all),
    config: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h' },
  }
  return options
}

function configValues(options: Readonly<Record<string, unknown>>): ConfigValues {
  const values: ConfigValues = {}
  for (const [name, given] of Object.entries(options)) {
    const found = optionPlace(name)
    if (found === undefined || given === undefined) continue
    place(
      values,
      found,
      Array.isArray(given) ? readValue(found, given.map(String), `--${name}`) : given,
    )
  }
  return values
}
