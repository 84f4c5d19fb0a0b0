import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { OptionError } from '@fastcgi/client'

const LOOK_AGAIN = 1000

/** The directory of a route, as the application is to be told. Text is latin1: one character, one byte. */
export class DocumentRoot {
  readonly #root: string
  readonly #resolve: boolean
  #sent: string
  #until = 0

  /** @param resolve send the real path of a symlink, looked up again every second. */
  constructor(root: string, resolve: boolean) {
    this.#root = root
    this.#resolve = resolve
    this.#sent = latin1(trimSlash(root))
  }

  /** What is sent as DOCUMENT_ROOT. */
  get path(): string {
    if (!this.#resolve) return this.#sent
    const now = performance.now()
    if (now >= this.#until) {
      this.#until = now + LOOK_AGAIN
      this.#sent = latin1(trimSlash(realpathSync(this.#root)))
    }
    return this.#sent
  }
}

/** @throws OptionError when a root that has to be looked at cannot be. */
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

/** Text of the configuration in the form of request paths: one character, one byte. */
export function latin1(path: string): string {
  return Buffer.from(path).toString('latin1')
}
