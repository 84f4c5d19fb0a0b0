import { stat } from 'node:fs/promises'

/** Milliseconds between two looks. */
const PAUSE = 1000

/** Looks whether files have changed, when requests come, and not more often than once a second (mod_fastcgi `-autoUpdate`). */
export class UpdateWatch {
  readonly #files: readonly string[]
  #next = Number.NEGATIVE_INFINITY

  private constructor(files: readonly string[]) {
    this.#files = files
  }

  /** @param option the program itself, or files instead. */
  static of(
    option: boolean | readonly string[] | undefined,
    program: string,
  ): UpdateWatch | undefined {
    if (option === undefined || option === false) return undefined
    return new UpdateWatch(option === true ? [program] : [...option])
  }

  /** @param onSeen gets the time of the last change, in milliseconds since 1970. */
  look(now: number, onSeen: (changed: number) => void): void {
    if (now < this.#next) return
    this.#next = now + PAUSE
    void this.#lastChange().then(onSeen)
  }

  async #lastChange(): Promise<number> {
    const times = this.#files.map((file) =>
      stat(file).then(
        ({ mtimeMs, ctimeMs }) => Math.max(mtimeMs, ctimeMs),
        // While it is being replaced it may be missing.
        () => 0,
      ),
    )
    return Math.max(...(await Promise.all(times)))
  }
}
