// Finds the PHP of this machine: php-fpm, php-cgi, or PHP compiled to WebAssembly.
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { basename, delimiter, join, resolve } from 'node:path'
import { OptionError } from '@fastcgi/client'
import { INSTALL_PHP_WASM, loadPhpWasm } from './php-wasm.ts'

/**
 * How a PHP serves requests: php-fpm manages its children itself; php-cgi is started with PHP_FCGI_CHILDREN, and so is PHP
 * compiled to WebAssembly, which is slow.
 */
export type PhpKind = 'php-fpm' | 'php-cgi' | 'php-wasm'

/** A PHP that was found. */
export interface FoundPhp {
  readonly kind: PhpKind
  /** Absolute path of the program; of php-wasm, of the package with the build of PHP. */
  readonly file: string
}

const PROGRAMS: readonly PhpKind[] = ['php-fpm', 'php-cgi']
const KINDS: readonly PhpKind[] = [...PROGRAMS, 'php-wasm']
/** What names PHP compiled to WebAssembly where a program is asked for. */
const WASM = 'wasm'
const WINDOWS = process.platform === 'win32'
/** Directories of servers, which are not in everybody's PATH. */
const DIRECTORIES = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/bin',
]

/**
 * Finds PHP 8 or newer in PATH and in the directories of servers: php-fpm where there is one, else php-cgi; the program
 * without a version in its name (`php-fpm`), else the one of the highest version (`php-fpm8.4`). Without both, PHP compiled to
 * WebAssembly, if `@fastcgi/php-wasm` is installed.
 * @param kinds what to look for, in order of preference. @default php-fpm, php-cgi, php-wasm
 * @example
 * ```js
 * import { findPhp } from '@fastcgi/process-manager'
 *
 * const php = findPhp(['php-cgi'])
 * console.log(php?.file ?? 'php-cgi is not installed')
 * ```
 */
export function findPhp(kinds: readonly PhpKind[] = KINDS): FoundPhp | undefined {
  for (const kind of kinds) {
    const file = kind === 'php-wasm' ? loadPhpWasm()?.findPhpWasm()?.directory : findProgram(kind)
    if (file !== undefined) return { kind, file }
  }
  return undefined
}

/**
 * The PHP to start: the given one, else what {@link findPhp} finds. This is the one place that decides which PHP is taken.
 * @param program name or path of php-fpm or php-cgi, or `'wasm'`.
 * @throws OptionError if there is none, with the package to install, or if the program is not php-fpm or php-cgi.
 * @example
 * ```js
 * import { choosePhp } from '@fastcgi/process-manager'
 *
 * try {
 *   console.log(choosePhp().kind)
 * } catch (error) {
 *   console.log(error.message)
 * }
 * ```
 */
export function choosePhp(program?: string): FoundPhp {
  const php =
    program === undefined || program === WASM
      ? findPhp(program === WASM ? ['php-wasm'] : KINDS)
      : phpProgram(program)
  if (php !== undefined) return php
  if (program === WASM)
    throw new OptionError(
      `there is no PHP compiled to WebAssembly; install it with: ${INSTALL_PHP_WASM}`,
    )
  throw new OptionError(
    `there is no PHP on this machine; install it with: ${installCommand()}; or, slow but enough to try: ${INSTALL_PHP_WASM}`,
  )
}

function phpProgram(program: string): FoundPhp {
  const kind = PROGRAMS.find((name) => basename(program).toLowerCase().includes(name))
  if (kind === undefined)
    throw new OptionError(
      `${program} is not php-fpm or php-cgi; the PHP of the command line cannot serve requests`,
    )
  const path = program.includes('/') || program.includes('\\') ? resolve(program) : undefined
  const file = path === undefined ? inPath(program) : isExecutable(path) ? path : undefined
  if (file === undefined) throw new OptionError(`there is no program ${path ?? program}`)
  return { kind, file }
}

const PACKAGES: ReadonlyArray<readonly [system: RegExp, command: string]> = [
  [/\b(debian|ubuntu)\b/, 'apt install php-fpm'],
  [/\balpine\b/, 'apk add php-fpm'],
  [/\b(fedora|rhel|centos)\b/, 'dnf install php-fpm'],
  [/\barch\b/, 'pacman -S php-fpm'],
  [/\bsuse\b/, 'zypper install php-fpm'],
]

/** @param osRelease the ID and ID_LIKE of os-release(5). */
function installCommand(osRelease: string = systemNames()): string {
  if (process.platform === 'darwin') return 'brew install php'
  if (WINDOWS) return 'winget install PHP.PHP'
  return PACKAGES.find(([system]) => system.test(osRelease))?.[1] ?? 'the package php-fpm'
}

function systemNames(): string {
  const text = attempt(() => readFileSync('/etc/os-release', 'utf8')) ?? ''
  return [...text.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].map(([, names]) => names).join(' ')
}

function directories(): string[] {
  const path = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  return [...path, ...(WINDOWS ? [] : DIRECTORIES)]
}

function findProgram(name: string): string | undefined {
  const pattern = new RegExp(`^${name}(?:(\\d+)\\.?(\\d+))?${WINDOWS ? '\\.exe' : ''}$`, 'i')
  return directories()
    .flatMap((directory) => programsIn(directory, pattern))
    .sort((a, b) => (a.version === b.version ? 0 : b.version - a.version))
    .at(0)?.file
}

function programsIn(directory: string, pattern: RegExp): Array<{ file: string; version: number }> {
  return (attempt(() => readdirSync(directory)) ?? []).flatMap((name) => {
    const [match, major, minor] = pattern.exec(name) ?? []
    if (match === undefined) return []
    const version = major === undefined ? Infinity : Number(major) * 1000 + Number(minor)
    const file = join(directory, name)
    return version >= 8000 && isExecutable(file) ? [{ file, version }] : []
  })
}

function inPath(name: string): string | undefined {
  return directories()
    .map((directory) => join(directory, name))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  return attempt(() => accessSync(file, constants.X_OK) ?? true) ?? false
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
