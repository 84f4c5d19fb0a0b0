// The command that starts the program, for a process manager.
import { fileURLToPath } from 'node:url'
import { findPhpWasm, INSTALL_COMMAND } from './builds.ts'
import type { PhpIni } from './ini.ts'

/** Options of {@link phpWasm}. */
export interface PhpWasmOptions {
  /** php.ini directives. */
  ini?: PhpIni | undefined
  /** Requests after which an instance of PHP is renewed; 0: never (PHP_FCGI_MAX_REQUESTS). @default 500, as in php-cgi */
  maxRequests?: number | undefined
  /** Absolute paths of directories from which the PHP build can be imported. @default the working directory */
  places?: readonly string[] | undefined
}

/** Options of a process manager. */
export interface PhpWasmCommand {
  readonly command: readonly string[]
  readonly name: string
  readonly env: Readonly<Record<string, number>>
}

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url))

/**
 * Options for processes that run PHP compiled to WebAssembly, one request at a time each:
 * `createProcessManager({ ...phpWasm(), processes: 2 })`.
 * @throws Error if no PHP build is installed; the message says how to install one.
 * @example
 * ```js
 * import { phpWasm } from '@fastcgi/php-wasm'
 *
 * const { command } = phpWasm({ ini: { memory_limit: '256M' } })
 * console.log(command.length > 1) // true
 * ```
 */
export function phpWasm(options: PhpWasmOptions = {}): PhpWasmCommand {
  const { ini = {}, maxRequests = 500, places } = options
  const build = findPhpWasm(places)
  if (build === undefined)
    throw new Error(`there is no PHP compiled to WebAssembly; this installs it: ${INSTALL_COMMAND}`)
  const settings = Object.entries(ini).flatMap(([name, value]) => [
    '-d',
    `${name}=${typeof value === 'boolean' ? Number(value) : value}`,
  ])
  return {
    command: [process.execPath, PROGRAM, '-build', build.directory, ...settings],
    name: 'php-wasm',
    env: { PHP_FCGI_MAX_REQUESTS: maxRequests },
  }
}
