// The document root of a route: DOCUMENT_ROOT as it is sent, and the check that it can be read.

import { accessSync, constants, statSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { OptionError } from '@fastcgi/client'
import { RootError } from '../errors.ts'

const REALPATH_TTL_MS = 1000

/** DOCUMENT_ROOT of a route. Text is latin1: one character per byte. */
export class DocumentRoot {
  readonly #root: string
  readonly #resolve: boolean
  #path: string
  #expires = 0
  /** The look-up in progress; concurrent requests wait for the same one. */
  #lookup: Promise<void> | undefined

  /** @param resolve whether to send the real path of a symlink, which is looked up again after a second. */
  constructor(root: string, resolve: boolean) {
    this.#root = root
    this.#resolve = resolve
    this.#path = latin1(trimSlash(root))
  }

  /** The value of DOCUMENT_ROOT, as of the last {@link DocumentRoot.refresh}. */
  get path(): string {
    return this.#path
  }

  /** Resolves the root again if the last result has expired; returns undefined when there is nothing to wait for. */
  refresh(): Promise<void> | undefined {
    if (!this.#resolve || performance.now() < this.#expires) return undefined
    this.#lookup ??= this.#resolveRoot().finally(() => {
      this.#lookup = undefined
    })
    return this.#lookup
  }

  async #resolveRoot(): Promise<void> {
    try {
      this.#path = latin1(trimSlash(await realpath(this.#root)))
    } catch (cause) {
      throw new RootError(
        `root ${this.#root} cannot be resolved: ${(cause as Error).message} (option root)`,
        { cause },
      )
    }
    this.#expires = performance.now() + REALPATH_TTL_MS
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
    if (!statSync(root, { bigint: true }).isDirectory()) throw new Error('it is no directory')
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
