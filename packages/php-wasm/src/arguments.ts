// The command line, in the manner of php-cgi.
import { readFileSync } from 'node:fs'
import { findPhpWasm, INSTALL_COMMAND, type PhpBuild } from './builds.ts'

/** What the program is to do. */
export interface ProgramOptions {
  readonly build: PhpBuild
  /** Content of the php.ini file. */
  readonly iniFile: string
  /** Directives of the command line: `name=value`. */
  readonly settings: readonly string[]
  /** Number of instances: PHP_FCGI_CHILDREN. */
  readonly instances: number
  /** Requests after which an instance is renewed: PHP_FCGI_MAX_REQUESTS. */
  readonly maxRequests: number
}

/** As in php-cgi. */
const MAX_REQUESTS = 500

/**
 * Reads `-d name=value -c php.ini -build DIRECTORY`, and the environment variables of php-cgi. Where to listen is read by
 * `listenFromArgv` of `@fastcgi/application`.
 * @throws Error that names what is wrong.
 */
export function readArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProgramOptions {
  const settings: string[] = []
  let iniFile = ''
  let build: PhpBuild | undefined
  for (let at = 0; at < argv.length; at++) {
    const value = (): string => {
      const next = argv[++at]
      if (next === undefined) throw new Error(`${argv[at - 1]} needs a value`)
      return next
    }
    if (argv[at] === '-d') settings.push(value())
    else if (argv[at] === '-c') iniFile = readFileSync(value(), 'utf8')
    else if (argv[at] === '-build') build = { directory: value() }
  }
  build ??= findPhpWasm()
  if (build === undefined)
    throw new Error(`there is no PHP compiled to WebAssembly; this installs it: ${INSTALL_COMMAND}`)
  return {
    build,
    iniFile,
    settings,
    instances: count('PHP_FCGI_CHILDREN', env, 1) || 1,
    maxRequests: count('PHP_FCGI_MAX_REQUESTS', env, MAX_REQUESTS) || Number.POSITIVE_INFINITY,
  }
}

function count(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
  standard: number,
): number {
  const text = env[name] ?? ''
  if (text === '') return standard
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${name} must be a whole number; got ${text}`)
  return Number(text)
}
