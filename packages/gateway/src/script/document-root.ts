// The document root of a route: DOCUMENT_ROOT as it is sent, and the check that it can be read.

import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { OptionError } from '@fastcgi/client'

const REALPATH_TTL_MS = 1000

/** DOCUMENT_ROOT of a route. Text is latin1: one character per byte. */
export class DocumentRoot {
  readonly #root: string
  readonly #resolve: boolean
  #path: string
  #expires = 0

  /** @param resolve whether to send the real path of a symlink, which is looked up again after a second. */
  constructor(root: string, resolve: boolean) {
    this.#root = root
    this.#resolve = resolve
    this.#path = latin1(trimSlash(root))
  }

  /** The value of DOCUMENT_ROOT. */
  get path(): string {
    if (!this.#resolve) return this.#path
    const now = performance.now()
    if (now >= this.#expires) {
      this.#expires = now + REALPATH_TTL_MS
      this.#path = latin1(trimSlash(realpathSync(this.#root)))
    }
    return this.#path
  }
}

/**
 * Checks that `root` is a directory that can be read. @param where name of the caller, for messages. @throws OptionError
 */
export function checkRoot(where: string, root: string | undefined): void {
  if (root === undefined)
    throw new OptionError(
      `${where}: option root is missing; name the directory of the scripts, or set checkLocal: false to leave that to the application`,
    )
  try {
    if (!statSync(root).isDirectory()) throw new Error('it is no directory')
    accessSync(root, constants.R_OK | constants.X_OK)
  } catch (error) {
    throw new OptionError(
      `${where}: option root: ${root} cannot be read: ${(error as Error).message}; if only the application can see it, set checkLocal: false`,
    )
  }
}

function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** Converts a path of the configuration to the form of request paths: one character per byte of its UTF-8 encoding. */
export function latin1(path: string): string {
  return Buffer.from(path).toString('latin1')
}
