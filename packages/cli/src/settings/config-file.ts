// Reads fastcgi.config.js, .mjs or .json, and names the line of what is wrong in it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OptionError } from '@fastcgi/client'
import { checkOptions } from '@fastcgi/client/internal'
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser'
import { CONFIG_CHECKS } from './config.ts'
import type { ConfigValues } from './option-values.ts'

const NAMES = ['fastcgi.config.js', 'fastcgi.config.mjs', 'fastcgi.config.json']

/** A configuration file that was read. */
export interface ConfigFile {
  readonly file: string
  readonly values: ConfigValues
}

/**
 * Reads the configuration file.
 * @param given the option `config`; without it, the file is looked for in the directory.
 * @throws OptionError that begins with file and line.
 */
export async function readConfigFile(
  directory: string,
  given: string | undefined,
): Promise<ConfigFile | undefined> {
  const file =
    given === undefined
      ? NAMES.map((name) => join(directory, name)).find((path) => existsSync(path))
      : resolve(given)
  if (file === undefined) return undefined
  const source = readSource(file)
  const config: unknown =
    extname(file) === '.json' ? parseJSON(file, source) : await importModule(file)
  try {
    checkOptions(file, config, CONFIG_CHECKS)
  } catch (error) {
    throw withLine(error as Error, file, source)
  }
  return { file, values: withPaths(config as ConfigValues, dirname(file)) }
}

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new OptionError(`the configuration file cannot be read: ${(error as Error).message}`)
  }
}

function parseJSON(file: string, source: string): unknown {
  const errors: ParseError[] = []
  const value: unknown = parse(source, errors, { disallowComments: true })
  const [first] = errors
  if (first === undefined) return value
  const what = printParseErrorCode(first.error).replace(
    /(?<=[a-z])[A-Z]/g,
    (letter) => ` ${letter.toLowerCase()}`,
  )
  throw new OptionError(`${file}:${lineAt(source, first.offset)}: no JSON: ${what.toLowerCase()}`)
}

/** How often modules have been imported: Node keeps a module under its URL, and a reload needs it anew. */
let imports = 0

async function importModule(file: string): Promise<unknown> {
  const url = `${pathToFileURL(file).href}${imports === 0 ? '' : `?${imports}`}`
  imports++
  try {
    const module = await import(url)
    return module.default ?? {}
  } catch (error) {
    const line = error instanceof SyntaxError ? syntaxErrorLine(file) : thrownLine(error, url)
    throw new OptionError(`${file}${line}: ${(error as Error | undefined)?.message ?? error}`)
  }
}

/** Node keeps the line of a syntax error to itself, but prints it first when it checks a file. */
function syntaxErrorLine(file: string): string {
  try {
    execFileSync(process.execPath, ['--check', file], { stdio: 'pipe', encoding: 'utf8' })
    return ''
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    const [, line] = /^\S.*?:(\d+)$/m.exec(stderr) ?? []
    return line === undefined ? '' : `:${line}`
  }
}

function thrownLine(error: unknown, url: string): string {
  const { stack = '' } = error as { stack?: string }
  const at = stack.indexOf(`${url}:`)
  const [line = ''] = at === -1 ? [] : (/:\d+/.exec(stack.slice(at + url.length)) ?? [])
  return line
}

/** The same error with the line on which the option of its message stands. */
function withLine(error: Error, file: string, source: string): OptionError {
  const text = error.message.slice(`${file}: `.length)
  const [, name = ''] = /^(?:unknown )?option (\w+)/.exec(text) ?? []
  const at = source.search(new RegExp(`(?<![\\w.])["']?${name}["']?\\s*:`))
  return new OptionError(
    `${file}${at === -1 || name === '' ? '' : `:${lineAt(source, at)}`}: ${text}`,
  )
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length
}

/** Paths of files, which are relative to the configuration file, as absolute ones. */
function withPaths(config: ConfigValues, directory: string): ConfigValues {
  const { root, https, tls, ...others } = config as {
    root?: string
    https?: Record<string, unknown>
    tls?: Record<string, unknown>
  } & ConfigValues
  const absolute = (files: Record<string, unknown>, names: readonly string[]) =>
    Object.fromEntries(
      Object.entries(files).map(([name, value]) => [
        name,
        names.includes(name) && typeof value === 'string' ? resolve(directory, value) : value,
      ]),
    )
  return {
    ...others,
    ...(root !== undefined && { root: resolve(directory, root) }),
    ...(https !== undefined && { https: absolute(https, ['cert', 'key']) }),
    ...(tls !== undefined && { tls: absolute(tls, ['ca', 'cert', 'key']) }),
  }
}
