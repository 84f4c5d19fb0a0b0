import { type ParseArgsConfig, parseArgs } from 'node:util'
import { OptionError, parseAddress } from '@fastcgi/client'

type Known = NonNullable<ParseArgsConfig['options']>

/** What was given for each option. */
export type Given<Options extends Known> = ReturnType<
  typeof parseArgs<{ args: string[]; allowNegative: true; options: Options }>
>['values']

/** Reads options; a flag can be negated: --no-reuse. @throws OptionError, in one line. */
export function parseOptions<Options extends Known>(
  args: string[],
  options: Options,
): Given<Options> {
  try {
    return parseArgs({ args, allowNegative: true as const, options }).values
  } catch (error) {
    throw new OptionError(inOneLine((error as Error).message, Object.keys(options)))
  }
}

/** What parseArgs says, without the advice in further sentences. */
function inOneLine(message: string, names: string[]): string {
  const [, name, what] = /^Option '(?:-\w, )?(--[a-z-]+).*?' (argument|does)/.exec(message) ?? []
  if (name !== undefined) return `option ${name} needs ${what === 'does' ? 'no' : 'a'} value`
  const [first = message] = message.split(/\.\s/)
  const known = names.map((name) => `--${name}`)
  return /^Unknown option/.test(first) ? `${first}; there are ${known.join(', ')}` : first
}

/**
 * Runs a command. The exit code is 2 for what was asked wrongly, as commands do, and 1 for what could not be done;
 * one line on stderr says what it was.
 */
export async function runCommand(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    process.exitCode = error instanceof OptionError ? 2 : 1
    console.error(`fastcgi ${name}: ${(error as Error).message}`)
  }
}

/** Where the application listens. @throws OptionError */
export function upstreamAddress(text: string | undefined): string {
  if (text === undefined) throw missing('upstream', 'unix:/run/php/php-fpm.sock')
  try {
    parseAddress(text)
  } catch (error) {
    throw new OptionError(`option --upstream: ${(error as Error).message}`)
  }
  return text
}

/** A whole number from 1 on. @throws OptionError */
export function count(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > most) throw wrong(name, text, `a whole number, 1 to ${most}`)
  return number
}

/** One of several values. @throws OptionError */
export function choice<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((known) => known === value)
  if (found === undefined) throw wrong(name, value, `one of ${values.join(', ')}`)
  return found
}

export function missing(name: string, example: string): OptionError {
  return new OptionError(`option --${name} is missing; for instance --${name} ${example}`)
}

export function wrong(name: string, value: string, wanted: string): OptionError {
  return new OptionError(`option --${name} must be ${wanted}; got ${JSON.stringify(value)}`)
}
