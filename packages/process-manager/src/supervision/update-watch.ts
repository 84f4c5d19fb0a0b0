import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'

/** Minimum time between two checks, in milliseconds. */
const CHECK_INTERVAL = 1000

/**
 * Checks on requests, at most once a second, whether files have changed (mod_fastcgi `-autoUpdate`). Their times are
 * compared with those seen last, not with a clock: they may be in the future, or come from another machine.
 */
export class UpdateWatch {
  /** The files, and the version of each that was seen last; undefined: it has not existed yet. */
  readonly #versions = new Map<string, string | undefined>()
  #next = Number.NEGATIVE_INFINITY
  #checking = false

  private constructor(files: readonly string[]) {
    for (const file of files) this.#versions.set(file, currentVersion(file))
  }

  /** @param option true for the program file, or a list of files instead of it. */
  static of(
    option: boolean | readonly string[] | undefined,
    program: string,
  ): UpdateWatch | undefined {
    if (option === undefined || option === false) return undefined
    return new UpdateWatch(option === true ? [program] : option)
  }

  /** @param onChange called when a file has changed since the last check. */
  async check(now: number, onChange: () => void): Promise<void> {
    if (now < this.#next || this.#checking) return
    this.#next = now + CHECK_INTERVAL
    this.#checking = true
    const changed = await this.#haveChanged()
    this.#checking = false
    if (changed) onChange()
  }

  async #haveChanged(): Promise<boolean> {
    const changes = [...this.#versions].map(async ([file, last]) => {
      const version = await stat(file, { bigint: true }).then(versionOf, () => undefined)
      // It may be missing for a moment while it is being replaced.
      if (version === undefined || version === last) return false
      this.#versions.set(file, version)
      return true
    })
    return (await Promise.all(changes)).includes(true)
  }
}

function currentVersion(file: string): string | undefined {
  try {
    return versionOf(statSync(file, { bigint: true }))
  } catch {
    return undefined
  }
}

function versionOf({ mtimeNs, ctimeNs, size }: BigIntStats): string {
  return `${mtimeNs} ${ctimeNs} ${size}`
}
