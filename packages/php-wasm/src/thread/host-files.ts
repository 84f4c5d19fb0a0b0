// The files of this computer in PHP's file system, under the same names.
import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { insidePath } from '../inside-path.ts'
import type { FileSystem } from './emscripten.ts'
import { correctSharedFiles } from './shared-files.ts'

/** Directories that PHP's file system has itself, and that are not those of the host. */
const OWN_DIRECTORIES = new Set(['dev', 'internal', 'proc', 'request', 'sys'])

/** Makes directories of the host visible: each directory in `/`, or each drive. */
export class HostFiles {
  readonly #fs: FileSystem
  readonly #mounted = new Set<string>()

  constructor(fs: FileSystem) {
    this.#fs = fs
    correctSharedFiles(fs)
    this.#mountAll()
  }

  /** Mounts what has appeared on the host since, if the path of a script is in there. */
  include(script: string): void {
    const [, first] = script.split('/')
    if (first !== undefined && first !== '' && !this.#mounted.has(first)) this.#mount(first)
  }

  #mountAll(): void {
    if (process.platform === 'win32') this.include(insidePath(process.cwd()))
    else for (const name of readdirSync('/')) this.#mount(name)
  }

  #mount(name: string): void {
    if (OWN_DIRECTORIES.has(name)) return
    const root = process.platform === 'win32' ? `${name}\\` : `/${name}`
    const path = `/${name}`
    const stats = lstatSync(root, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) return
    if (stats.isSymbolicLink()) {
      // Such as /tmp on macOS, which PHP's file system has as a directory.
      this.#removeDirectory(path)
      this.#fs.symlink(readlinkSync(root), path)
    } else if (stats.isDirectory()) {
      this.#fs.mkdirTree(path)
      this.#fs.mount(this.#fs.filesystems.NODEFS, { root }, path)
    } else return
    this.#mounted.add(name)
  }

  #removeDirectory(path: string): void {
    try {
      this.#fs.rmdir(path)
    } catch {
      // There is none.
    }
  }
}
