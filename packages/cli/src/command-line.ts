// Parsing and checking of command line options, shared by the commands.
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { OptionError, parseAddress } from '@fastcgi/client'
import { similarName } from '@fastcgi/client/internal'

type OptionsConfig = NonNullable<ParseArgsConfig['options']>

type Parsed<Options extends OptionsConfig> = ReturnType<
  typeof parseArgs<{
    args: string[]
    allowNegative: true
    allowPositionals: boolean
    options: Options
  }>
>

/** Values of the options that were given. */
export type OptionValues<Options extends OptionsConfig> = Parsed<Options>['values']

/**
 * Parses options. Flags can be negated: --no-reuse.
 * @param allowPositionals whether there may be arguments without a name.
 * @throws OptionError with a message of one line.
 */
export function parseOptions<Options extends OptionsConfig>(
  args: string[],
  options: Options,
  allowPositionals = false,
): { values: OptionValues<Options>; positionals: string[] } {
  try {
    return parseArgs({ args, allowNegative: true as const, allowPositionals, options })
  } catch (error) {
    throw new OptionError(inOneLine((error as Error).message, Object.keys(options)))
  }
}

/** The message of parseArgs without its further sentences of advice, or with the name that may have been meant. */
function inOneLine(message: string, names: string[]): string {
  const [, name, what] = /^Option '(?:-\w, )?(--[a-z.-]+).*?' (argument|does)/.exec(message) ?? []
  if (name !== undefined) return `option ${name} needs ${what === 'does' ? 'no' : 'a'} value`
  const [, unknown] = /^Unknown option '(-[^']*)'/.exec(message) ?? []
  if (unknown === undefined) return message.split(/\.\s/)[0] ?? message
  const meant = similarName(unknown.replace(/^--?(no-)?/, ''), names)
  return `there is no option ${unknown}; ${meant === undefined ? '--help shows all' : `did you mean --${meant}?`}`
}

/**
 * Runs a command. If it fails, it prints one line to stderr; the exit code is 2 for a wrong option, as is usual for
 * commands, and 1 for any other error.
 */
export async function runCommand(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    process.exitCode = error instanceof OptionError ? 2 : 1
    console.error(`fastcgi ${name}: ${(error as Error).message}`)
  }
}

/** Checks the address of the application (--upstream). @throws OptionError */
export function upstreamAddress(text: string | undefined): string {
  if (text === undefined) throw missingOption('upstream', 'unix:/run/php/php-fpm.sock')
  try {
    parseAddress(text)
  } catch (error) {
    throw new OptionError(`option --upstream: ${(error as Error).message}`)
  }
  return text
}

/** Parses a whole number from 1 to `most`. @throws OptionError */
export function wholeNumber(
  name: string,
  text: string | undefined,
  most: number,
): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > most) throw invalidOption(name, text, `a whole number, 1 to ${most}`)
  return number
}

/** Checks that a value is one of `values`. @throws OptionError */
export function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((known) => known === value)
  if (found === undefined) throw invalidOption(name, value, `one of ${values.join(', ')}`)
  return found
}

/** The error for a required option that is missing. */
export function missingOption(name: string, example: string): OptionError {
  return new OptionError(`option --${name} is missing; for instance --${name} ${example}`)
}

/** The error for a value that an option cannot have. */
export function invalidOption(name: string, value: string, wanted: string): OptionError {
  return new OptionError(`option --${name} must be ${wanted}; got ${JSON.stringify(value)}`)
}
