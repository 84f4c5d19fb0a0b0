// phpProcesses(): the PHP of this machine, however it is to be started.
import { availableParallelism } from 'node:os'
import { OptionError } from '@fastcgi/client'
import { choosePhp, type FoundPhp } from './find-php.ts'
import type { ProcessManagerOptions } from './options.ts'
import { type PhpIni, phpCgi, phpFpm } from './php.ts'
import { loadPhpWasm } from './php-wasm.ts'
import { primaryGroup } from './spawning/identity.ts'

/** Options of {@link phpProcesses}. */
export interface PhpProcessesOptions {
  /**
   * Name or path of php-fpm or php-cgi, `'wasm'`, or what `choosePhp()` has found.
   * @default php-fpm if it is found, else php-cgi, else PHP compiled to WebAssembly
   */
  program?: string | FoundPhp | undefined
  /** Requests at a time, 1 to 10000. @default twice the number of processors, at least 4; compiled to WebAssembly: 2, of 100 MB each */
  workers?: number | undefined
  ini?: PhpIni | undefined
  /** Requests after which a worker is replaced; 0: never. @default 0 for php-fpm, 500 for php-cgi */
  maxRequests?: number | undefined
  /** User that scripts run as; required if this process is root. */
  user?: string | undefined
  /** Group that scripts run as. @default the primary group of `user` */
  group?: string | undefined
}

/** What {@link phpProcesses} returns. */
export interface PhpProcesses {
  /** The PHP that was found. */
  readonly php: FoundPhp
  /** Requests at a time. */
  readonly workers: number
  /** Options for `createProcessManager`: one socket, from which all workers accept. */
  readonly options: ProcessManagerOptions
}

/**
 * Finds PHP, as {@link choosePhp} does, and returns the options that start it:
 * `createProcessManager(phpProcesses().options)`. @throws OptionError if there is none, with the package to install.
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createGateway } from '@fastcgi/gateway'
 * import { createProcessManager, phpProcesses } from '@fastcgi/process-manager'
 *
 * const php = phpProcesses({ program: 'php-cgi' })
 * const upstream = () => createProcessManager(php.options)
 * createServer(createGateway({ upstream, root: '/var/www/site' }).handler)
 * ```
 */
export function phpProcesses(options: PhpProcessesOptions = {}): PhpProcesses {
  const { program, ini, user, maxRequests } = options
  checkWorkers(options.workers)
  const php = typeof program === 'object' ? program : choosePhp(program)
  const workers = options.workers ?? defaultWorkers(php)
  const group = user === undefined ? undefined : (options.group ?? String(primaryGroup(user)))
  if (php.kind === 'php-fpm')
    return {
      php,
      workers,
      options: phpFpm({ program: php.file, children: workers, ini, maxRequests, user, group }),
    }
  const wasm = php.kind === 'php-wasm' ? loadPhpWasm()?.phpWasm({ ini, maxRequests }) : undefined
  if (wasm !== undefined) {
    const env = { ...wasm.env, PHP_FCGI_CHILDREN: workers }
    return { php, workers, options: { ...wasm, env, user, group } }
  }
  const cgi = phpCgi({ program: php.file, ini, maxRequests, children: workers })
  return { php, workers, options: { ...cgi, user, group } }
}

function checkWorkers(workers = 1): void {
  if (!Number.isInteger(workers) || workers < 1 || workers > 10_000)
    throw new OptionError(
      `phpProcesses: option workers must be a whole number, 1 to 10000; got ${workers}`,
    )
}

function defaultWorkers({ kind }: FoundPhp): number {
  return kind === 'php-wasm' ? 2 : Math.max(4, 2 * availableParallelism())
}
