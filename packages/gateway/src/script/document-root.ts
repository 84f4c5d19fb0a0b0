import { accessSync, constants, statSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { OptionError } from '@fastcgi/client'

const LOOK_AGAIN = 1000

/** The directory of a route, as the application is to be told. Text is latin1: one character, one byte. */
export class DocumentRoot {
  readonly #root: string
  readonly #resolve: boolean
  #sent: string
  #until = 0
  /** The look under way: requests that come meanwhile wait for the same one. */
  #look: Promise<void> | undefined

  /** @param resolve send the real path of a symlink, looked up again every second. */
  constructor(root: string, resolve: boolean) {
    this.#root = root
    this.#resolve = resolve
    this.#sent = latin1(trimSlash(root))
  }

  /** What is sent as DOCUMENT_ROOT, as of the last {@link DocumentRoot.refresh}. */
  get path(): string {
    return this.#sent
  }

  /** Looks a symlink up again, when the last look is a second old; undefined when there is nothing to wait for. */
  refresh(): Promise<void> | undefined {
    if (!this.#resolve || performance.now() < this.#until) return undefined
    this.#look ??= this.#lookUp().finally(() => {
      this.#look = undefined
    })
    return this.#look
  }

  async #lookUp(): Promise<void> {
    this.#sent = latin1(trimSlash(await realpath(this.#root)))
    this.#until = performance.now() + LOOK_AGAIN
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
