// Options as text: their names on the command line and in the environment, and what a text means as a value of each.
import { OptionError } from '@fastcgi/client'
import type { Check } from '@fastcgi/client/internal'
import { CONFIG_CHECKS } from './config.ts'

/** Where in the configuration a value belongs: the name of an option, and of one of its properties. */
export interface OptionPlace {
  readonly option: string
  readonly property: string | undefined
  readonly check: Check
  /** Whether it is true or false, and can stand without a value. */
  readonly isFlag: boolean
}

/** Values that have been given, by option. */
export type ConfigValues = Record<string, unknown>

/** Short names of properties. */
const ALIASES: Readonly<Record<string, string>> = {
  php: 'php.program',
  'php-workers': 'php.workers',
  'php-user': 'php.user',
  ini: 'php.ini',
  'tls-cert': 'https.cert',
  'tls-key': 'https.key',
  'upstream-ca': 'tls.ca',
  'upstream-cert': 'tls.cert',
  'upstream-key': 'tls.key',
  'upstream-servername': 'tls.servername',
  'hide-header': 'response-headers.hide',
  'set-header': 'response-headers.set',
}

/** All names that the command line knows, without those of properties (`timeouts.head`). */
export const OPTION_NAMES: readonly string[] = [
  ...new Set([...Object.keys(CONFIG_CHECKS).map(dashed), ...Object.keys(ALIASES)]),
].filter((name) => !['https', 'logger', 'tls'].includes(name))

/** Finds the option of a name such as `max-connections`, `timeouts.head` or `php-workers`. */
export function optionPlace(name: string): OptionPlace | undefined {
  const [first = '', second, ...rest] = (ALIASES[name] ?? name).split('.').map(camelCase)
  const whole = Object.hasOwn(CONFIG_CHECKS, first) ? CONFIG_CHECKS[first] : undefined
  if (whole === undefined || rest.length > 0) return undefined
  const check: Check = second === undefined ? whole : propertyCheck(whole, second)
  return { option: first, property: second, check, isFlag: check(true) === undefined }
}

/** The check of one property, as the check of an object with that property alone. */
function propertyCheck(whole: Check, property: string): Check {
  return (value) => {
    const wanted = whole({ [property]: value })
    return wanted?.replace(/^(?:.*, or )?an object whose \w+ is /, '')
  }
}

/** Reads the texts that were given for an option. @param shown its name, for messages. @throws OptionError */
export function readValue(
  { check }: OptionPlace,
  texts: readonly string[],
  shown: string,
): unknown {
  const candidates = texts.length > 1 ? meaningsOfSeveral(texts) : meanings(texts[0] ?? '')
  const found = candidates.find((candidate) => check(candidate) === undefined)
  if (found !== undefined) return found
  const text = texts.at(-1) ?? ''
  const wanted = check(text) === 'an array' ? itemWanted(check, text) : check(text)
  throw new OptionError(`option ${shown} must be ${wanted}; got ${JSON.stringify(text)}`)
}

/** What is said of one item of a list. */
function itemWanted(check: Check, text: string): string | undefined {
  return check([text])?.replace('an array, each item ', '')
}

/** What a text may mean, the most literal meaning first. */
function meanings(text: string): unknown[] {
  return [text, ...json(text), [text], ...pairs([text])]
}

function meaningsOfSeveral(texts: readonly string[]): unknown[] {
  return [texts, ...pairs(texts), ...meanings(texts.at(-1) ?? '')]
}

function json(text: string): unknown[] {
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}

/** NAME=VALUE as an object, and NAME: VALUE, as fields are written. */
function pairs(texts: readonly string[]): Array<Record<string, string>> {
  return [/^([^=]+)=(.*)$/s, /^([^:]+): *(.*)$/s].flatMap((pattern) => {
    const all = texts.map((text) => pattern.exec(text))
    if (all.includes(null)) return []
    return [Object.fromEntries(all.map((match) => [match?.[1] ?? '', match?.[2] ?? '']))]
  })
}

/** Puts a value where it belongs. */
export function place(
  values: ConfigValues,
  { option, property }: OptionPlace,
  value: unknown,
): void {
  if (property === undefined) values[option] = value
  else values[option] = { ...(values[option] as object | undefined), [property]: value }
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
