/** A PHP that runs until stop(), or until this process ends. */
export interface PhpProcess {
  /** `unix:/path` or `127.0.0.1:port` */
  readonly address: string
  /** Process id of the master. */
  readonly pid: number
  /** Settles when the master has ended, for whatever reason. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Signals the whole process group (default SIGTERM), kills it after 3 s and removes its files. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** The last 64 Ki characters that PHP wrote to stdout and stderr. */
  output(): string
  /** Process ids of the workers; empty where the system does not tell (only Linux does). */
  children(): number[]
}

export interface PhpOptions {
  /** `unix` (default; a socket in a directory of its own), `tcp` (a free port on loopback), `unix:/path` or `127.0.0.1:port`. */
  listen?: string | undefined
  /** Number of workers, default 2; php-cgi takes 0 for one process without children. */
  children?: number | undefined
  /** Working directory. */
  root?: string | undefined
  /** Settings of php.ini: `php_admin_value` for php-fpm, `-d` for php-cgi. */
  ini?: Record<string, string | number> | undefined
  /** The program; default: the one that is found. */
  binary?: string | undefined
  /** Gets what PHP writes, as it comes. */
  log?: ((text: string) => void) | undefined
}

export interface PhpFpmOptions extends PhpOptions {
  /** More directives of the pool, such as `pm.max_requests` or `pm.status_path`. */
  pool?: Record<string, string | number> | undefined
}

export interface PhpCgiOptions extends PhpOptions {
  /** More environment variables, such as `PHP_FCGI_MAX_REQUESTS`. */
  env?: Record<string, string> | undefined
}

export { findPhpWasm } from '@fastcgi/php-wasm'
export function findPhpFpm(): string | undefined
export function findPhpCgi(): string | undefined

/** Runs php-fpm with a private configuration; resolves when it accepts connections. */
export function startPhpFpm(options?: PhpFpmOptions): Promise<PhpProcess>

/** Runs php-cgi as a FastCGI server; resolves when it accepts connections. */
export function startPhpCgi(options?: PhpCgiOptions): Promise<PhpProcess>

/** Runs PHP compiled to WebAssembly, with an instance for each of `children`; resolves when it accepts connections. */
export function startPhpWasm(options?: PhpCgiOptions): Promise<PhpProcess>
