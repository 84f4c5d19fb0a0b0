import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { RootError } from '../errors.ts'
import {
  cutPath,
  hasExtension,
  isForbidden,
  isSourceLike,
  type PathInfoMode,
} from './script-path.ts'

/** What a path turns out to be. All paths begin with a slash, relative to the root; text is latin1. */
export type Resolution =
  | {
      readonly kind: 'script'
      readonly script: string
      readonly pathInfo: string
      /** Whether it stands for the directory that the path names. */
      readonly isIndex?: boolean
    }
  | { readonly kind: 'file'; readonly path: string; readonly isIndex?: boolean }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'none' }

/** What a {@link ScriptResolver} goes by. */
export interface ScriptRules {
  /** Path prefix of the route, '/' for all. */
  prefix: string
  root: string | undefined
  /** Files that stand for a directory, best first. */
  index: readonly string[]
  frontController: string | undefined
  extensions: readonly string[]
  pathInfo: PathInfoMode
  checkLocal: boolean
  followSymlinks: boolean
  static: boolean
}

const CACHE_TIME = 1000
const CACHE_SIZE = 1024
const NONE: Resolution = { kind: 'none' }

/**
 * Finds the script that a path means. With `checkLocal`, only regular files inside the root are scripts: this is what
 * keeps `/uploads/evil.jpg/x.php` from running evil.jpg through PHP's cgi.fix_pathinfo.
 */
export class ScriptResolver {
  readonly #rules: ScriptRules
  readonly #cache = new Map<string, { resolution: Resolution; until: number }>()
  /** Looks at the disk under way: requests that come meanwhile wait for the same one. */
  readonly #looks = new Map<string, Promise<Resolution>>()

  constructor(rules: ScriptRules) {
    this.#rules = rules
  }

  /** Resolves a normalized path; at once where the disk need not be asked. */
  resolve(path: string): Resolution | Promise<Resolution> {
    const { prefix, pathInfo, checkLocal } = this.#rules
    if (!path.startsWith(prefix)) return NONE
    if (pathInfo === 'all') return { kind: 'script', script: '', pathInfo: path }
    if (!checkLocal) return this.#resolveByName(path, pathInfo)
    const known = this.#cache.get(path)
    if (known !== undefined && known.until > performance.now()) return known.resolution
    let look = this.#looks.get(path)
    if (look === undefined) {
      look = this.#resolveOnDisk(path, pathInfo).finally(() => this.#looks.delete(path))
      this.#looks.set(path, look)
    }
    return look
  }

  #resolveByName(path: string, mode: Exclude<PathInfoMode, 'all'>): Resolution {
    const {
      extensions,
      index: [index],
      frontController,
      prefix,
    } = this.#rules
    // Without endings every segment could be the script: what comes first says nothing.
    const [cut] =
      mode === 'script' && extensions.length === 0 ? [] : cutPath(path, mode, extensions)
    if (cut !== undefined) return { kind: 'script', ...cut }
    if (path.endsWith('/') && index !== undefined)
      return { kind: 'script', script: path + index, pathInfo: '' }
    if (frontController !== undefined)
      return { kind: 'script', script: frontController, pathInfo: '' }
    // As lighttpd: with a prefix, the script ends at the first slash behind it.
    const slash = prefix === '/' ? -1 : path.indexOf('/', prefix.length)
    const end = slash === -1 ? path.length : slash
    return { kind: 'script', script: path.slice(0, end), pathInfo: path.slice(end) }
  }

  async #resolveOnDisk(path: string, mode: Exclude<PathInfoMode, 'all'>): Promise<Resolution> {
    const { frontController } = this.#rules
    const found = isForbidden(path) ? NONE : await this.#find(path, mode)
    const resolution =
      found.kind === 'none' && frontController !== undefined
        ? ({ kind: 'script', script: frontController, pathInfo: '' } as const)
        : found
    if (resolution.kind === 'script') this.#remember(path, resolution)
    return resolution
  }

  async #find(path: string, mode: Exclude<PathInfoMode, 'all'>): Promise<Resolution> {
    const { extensions } = this.#rules
    for (const cut of cutPath(path, mode, extensions))
      if ((await this.#look(cut.script)) === 'file') return { kind: 'script', ...cut }
    if (path.endsWith('/')) return this.#findIndex(path)
    const kind = await this.#look(path)
    if (kind === 'file') return this.#asStatic(path)
    if (kind === undefined || (await this.#findIndex(`${path}/`)).kind === 'none') return NONE
    return { kind: 'directory', path }
  }

  /** What stands for a directory. */
  async #findIndex(directory: string): Promise<Resolution> {
    const { extensions, index } = this.#rules
    for (const name of index) {
      const path = directory + name
      if ((await this.#look(path)) !== 'file') continue
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

  /** What lies at a path, seen through symlinks only as far as the rules allow. */
  async #look(path: string): Promise<'file' | 'directory' | undefined> {
    const { root, followSymlinks } = this.#rules
    if (root === undefined) return undefined
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
    this.#cache.set(path, { resolution, until: performance.now() + CACHE_TIME })
  }
}

// Only after a miss, so that it costs nothing where all is well: is it the root itself that is gone?
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
