// PHP compiled to WebAssembly: the package @fastcgi/php-wasm, where that and a build of PHP are installed.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ProcessManagerOptions } from './options.ts'
import type { PhpIni } from './php.ts'

/** The command that installs it. */
export const INSTALL_PHP_WASM = 'npm i @fastcgi/php-wasm @php-wasm/node-8-3'

/** What `@fastcgi/php-wasm` exports. */
export interface PhpWasmPackage {
  /** The build of PHP that is installed. */
  findPhpWasm(): { readonly directory: string } | undefined
  phpWasm(options: {
    ini?: PhpIni | undefined
    maxRequests?: number | undefined
  }): Required<Pick<ProcessManagerOptions, 'command' | 'name' | 'env'>>
}

/** Loads it from where this process runs, or from beside this package. Undefined if it is not installed. */
export function loadPhpWasm(): PhpWasmPackage | undefined {
  for (const base of [pathToFileURL(join(process.cwd(), '_')).href, import.meta.url])
    try {
      return createRequire(base)('@fastcgi/php-wasm')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  return undefined
}
