// Finds the script, static file or directory that a path names.

import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { BadRequestError, RootError } from '../errors.ts'
import { hasExtension } from './extension.ts'
import { hasBackslash, isForbidden, isSourceLike } from './forbidden-paths.ts'
import { type PathInfoMode, splitPathInfo } from './path-info.ts'

/** What a path names. All paths begin with a slash and are relative to the root; text is latin1. */
export type Resolution =
  | {
      readonly kind: 'script'
      readonly script: string
      readonly pathInfo: string
      /** Whether it is the index file of the directory that the path names. */
      readonly isIndex?: boolean
      /** Whether it is the front controller, which runs paths that lead nowhere else. */
      readonly isFrontController?: boolean
    }
  | { readonly kind: 'file'; readonly path: string; readonly isIndex?: boolean }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'none' }

/** Options of a {@link ScriptResolver}. */
export interface ScriptRules {
  /** Path prefix of the route; '/' for all paths. */
  prefix: string
  /** Tested on the path as UTF-8 text; undefined for all paths. */
  pattern: RegExp | undefined
  root: string | undefined
  /** Index files, in order of preference. */
  index: readonly string[]
  frontController: string | undefined
  extensions: readonly string[]
  pathInfo: PathInfoMode
  checkLocal: boolean
  followSymlinks: boolean
  static: boolean
}

/** Milliseconds that a found script or file stays in the cache; whether the file may be sent is checked when it is opened. */
const CACHE_TIME = 1000
/** Characters of a path that a regular expression is tested on at the most: one that backtracks may take exponential time. */
const MAX_MATCHED_LENGTH = 2048
const CACHE_SIZE = 1024
const NONE: Resolution = { kind: 'none' }

/**
 * Finds the script that a path names. With `checkLocal`, only regular files inside the root are scripts; without this check,
 * `/uploads/evil.jpg/x.php` would run evil.jpg as PHP, by way of cgi.fix_pathinfo.
 */
export class ScriptResolver {
  readonly #rules: ScriptRules
  readonly #cache = new Map<string, { resolution: Resolution; expires: number }>()
  /** Look-ups in progress, shared by concurrent requests for the same path. */
  readonly #pending = new Map<string, Promise<Resolution>>()

  constructor(rules: ScriptRules) {
    this.#rules = rules
  }

  /** Resolves a normalized path; synchronously if no disk access is needed. */
  resolve(path: string): Resolution | Promise<Resolution> {
    const { prefix, pattern, pathInfo, checkLocal } = this.#rules
    if (!path.startsWith(prefix) || (pattern !== undefined && !matches(path, pattern))) return NONE
    if (pathInfo === 'all') return { kind: 'script', script: '', pathInfo: path }
    if (!checkLocal) return withoutBackslash(this.#resolveByName(path, pathInfo))
    const known = this.#cache.get(path)
    if (known !== undefined && known.expires > performance.now()) return known.resolution
    let lookup = this.#pending.get(path)
    if (lookup === undefined) {
      lookup = this.#resolveOnDisk(path, pathInfo).finally(() => this.#pending.delete(path))
      this.#pending.set(path, lookup)
    }
    return lookup
  }

  /** Forgets what a path names; whether it was known. */
  forget(path: string): boolean {
    return this.#cache.delete(path)
  }

  #resolveByName(path: string, mode: Exclude<PathInfoMode, 'all'>): Resolution {
    const {
      extensions,
      index: [index],
      frontController,
      prefix,
    } = this.#rules
    // Without extensions any segment could be the script, so the first candidate is meaningless.
    const cuts =
      mode === 'script' && extensions.length === 0 ? [] : splitPathInfo(path, mode, extensions)
    const cut = mode === 'full' ? lastOf(cuts) : firstOf(cuts)
    if (cut !== undefined) return { kind: 'script', ...cut }
    if (path.endsWith('/') && index !== undefined)
      return { kind: 'script', script: path + index, pathInfo: '' }
    if (frontController !== undefined)
      return { kind: 'script', script: frontController, pathInfo: '', isFrontController: true }
    // As lighttpd: with a prefix, the script ends at the first slash after the prefix.
    const slash = prefix === '/' ? -1 : path.indexOf('/', prefix.length)
    const end = slash === -1 ? path.length : slash
    return { kind: 'script', script: path.slice(0, end), pathInfo: path.slice(end) }
  }

  async #resolveOnDisk(path: string, mode: Exclude<PathInfoMode, 'all'>): Promise<Resolution> {
    const { frontController } = this.#rules
    const found = isForbidden(path) ? NONE : await this.#find(path, mode)
    const resolution =
      found.kind === 'none' && frontController !== undefined
        ? ({
            kind: 'script',
            script: frontController,
            pathInfo: '',
            isFrontController: true,
          } as const)
        : found
    if (resolution.kind === 'script' || resolution.kind === 'file') this.#remember(path, resolution)
    return resolution
  }

  async #find(path: string, mode: Exclude<PathInfoMode, 'all'>): Promise<Resolution> {
    const { extensions } = this.#rules
    for (const cut of splitPathInfo(path, mode, extensions)) {
      const type = await this.#fileType(cut.script)
      if (type === 'file') return { kind: 'script', ...cut }
      // Nothing exists below a missing component, however many segments the client has added.
      if (type === undefined) return NONE
    }
    if (path.endsWith('/')) return this.#findIndex(path)
    const kind = await this.#fileType(path)
    if (kind === 'file') return this.#asStatic(path)
    if (kind === undefined || (await this.#findIndex(`${path}/`)).kind === 'none') return NONE
    return { kind: 'directory', path }
  }

  /** The index file of a directory. @param directory with a slash at its end. */
  async #findIndex(directory: string): Promise<Resolution> {
    const { extensions, index } = this.#rules
    for (const name of index) {
      const path = directory + name
      if ((await this.#fileType(path)) !== 'file') continue
      if (extensions.length === 0 || hasExtension(name, extensions))
        return { kind: 'script', script: path, pathInfo: '', isIndex: true }
      const file = this.#asStatic(path)
      if (file.kind === 'file') return { ...file, isIndex: true }
    }
    return NONE
  }

  #asStatic(path: string): Resolution {
    const { extensions } = this.#rules
    return this.#rules.static && !isSourceLike(path, extensions) ? { kind: 'file', path } : NONE
  }

  /**
   * The type of the file at a path; undefined if there is none, or it is reached by a symlink that the rules do not
   * allow.
   */
  async #fileType(path: string): Promise<'file' | 'directory' | undefined> {
    const { root, followSymlinks } = this.#rules
    if (root === undefined || hasBackslash(path)) return undefined
    const full = Buffer.concat([Buffer.from(root), Buffer.from(path, 'latin1')])
    try {
      const found = await stat(full)
      const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : undefined
      return kind !== undefined && (followSymlinks || (await isInside(root, full)))
        ? kind
        : undefined
    } catch {
      await checkRoot(root)
      return undefined
    }
  }

  #remember(path: string, resolution: Resolution): void {
    if (this.#cache.size >= CACHE_SIZE) this.#cache.clear()
    this.#cache.set(path, { resolution, expires: performance.now() + CACHE_TIME })
  }
}

function matches(path: string, pattern: RegExp): boolean {
  return path.length <= MAX_MATCHED_LENGTH && pattern.test(Buffer.from(path, 'latin1').toString())
}

/** Refuses a script whose name has a backslash; PATH_INFO may have one. */
function withoutBackslash(found: Resolution): Resolution | Promise<Resolution> {
  if (found.kind !== 'script' || !hasBackslash(found.script)) return found
  return Promise.reject(new BadRequestError('the name of a script contains a backslash'))
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item
  return undefined
}

function lastOf<T>(items: Iterable<T>): T | undefined {
  let last: T | undefined
  for (const item of items) last = item
  return last
}

/** Throws if the root itself cannot be read. Called only after a miss, so that it costs nothing in normal operation. */
async function checkRoot(root: string): Promise<void> {
  try {
    await stat(`${root}/.`)
  } catch (cause) {
    throw new RootError(`root ${root} cannot be read: ${(cause as Error).message} (option root)`, {
      cause,
    })
  }
}

async function isInside(root: string, full: Buffer): Promise<boolean> {
  const [realRoot, real] = await Promise.all([realpath(root), realpath(full, 'latin1')])
  const prefix = Buffer.from(realRoot).toString('latin1')
  return real === prefix || real.startsWith(prefix.endsWith(sep) ? prefix : prefix + sep)
}
