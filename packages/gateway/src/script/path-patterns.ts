import { fold, foldPath } from './denied-paths.ts'

/** The option `match` of guards: prefixes and extensions that are compared with normalized paths, without case. */
export class PathPatterns {
  readonly #patterns: readonly string[] | undefined

  /** @param match prefixes such as `'/private/'` and extensions such as `'.php'`; undefined for all paths. */
  constructor(match: string | readonly string[] | undefined) {
    this.#patterns =
      match === undefined ? undefined : (typeof match === 'string' ? [match] : match).map(fold)
  }

  /**
   * Whether a normalized path is covered; in case of doubt it is. An extension covers every directory, because its index file
   * may have that extension.
   */
  covers(path: string): boolean {
    if (this.#patterns === undefined) return true
    const name = foldPath(path)
    return this.#patterns.some((pattern) =>
      pattern.startsWith('/')
        ? name.startsWith(pattern) || `${name}/` === pattern
        : `${name}/`.includes(`${pattern}/`) || name.endsWith('/'),
    )
  }
}
