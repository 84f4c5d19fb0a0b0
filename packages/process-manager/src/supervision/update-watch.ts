import { stat } from 'node:fs/promises'

/** Minimum time between two checks, in milliseconds. */
const CHECK_INTERVAL = 1000

/** Checks on requests, at most once a second, whether files have changed (mod_fastcgi `-autoUpdate`). */
export class UpdateWatch {
  readonly #files: readonly string[]
  #next = Number.NEGATIVE_INFINITY

  private constructor(files: readonly string[]) {
    this.#files = files
  }

  /** @param option true for the program file, or a list of files instead of it. */
  static of(
    option: boolean | readonly string[] | undefined,
    program: string,
  ): UpdateWatch | undefined {
    if (option === undefined || option === false) return undefined
    return new UpdateWatch(option === true ? [program] : [...option])
  }

  /** @param onResult gets the time of the latest change, in milliseconds since 1970. */
  check(now: number, onResult: (changed: number) => void): void {
    if (now < this.#next) return
    this.#next = now + CHECK_INTERVAL
    void this.#lastChange().then(onResult)
  }

  async #lastChange(): Promise<number> {
    const times = this.#files.map((file) =>
      stat(file).then(
        ({ mtimeMs, ctimeMs }) => Math.max(mtimeMs, ctimeMs),
        // The file may be missing for a moment while it is being replaced.
        () => 0,
      ),
    )
    return Math.max(...(await Promise.all(times)))
  }
}
