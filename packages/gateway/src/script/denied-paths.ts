/** The option `deny`: paths that get 403, whether they name a file, a script, or a path for the front controller. */
export class DeniedPaths {
  readonly #rules: readonly Rule[]

  /** @param rules paths, which begin with a slash, and names, which match at any depth; `*` matches any characters. */
  constructor(rules: readonly string[]) {
    this.#rules = rules.map((text) => ({ text, ...compile(fold(text)) }))
  }

  /**
   * The rule that denies a path, or undefined.
   * @param path decoded and normalized, latin1.
   * @param byName whether rules for names apply, too.
   */
  find(path: string, byName = true): string | undefined {
    if (this.#rules.length === 0) return undefined
    const folded = foldPath(path)
    const names = folded.split('/')
    return this.#rules.find(({ pattern, ofNames }) =>
      ofNames ? byName && names.some((name) => pattern.test(name)) : pattern.test(folded),
    )?.text
  }
}

interface Rule {
  readonly text: string
  readonly pattern: RegExp
  /** Whether the pattern is matched against each segment, not against the whole path. */
  readonly ofNames: boolean
}

function compile(rule: string): Pick<Rule, 'pattern' | 'ofNames'> {
  const ofNames = !rule.startsWith('/')
  const escaped = rule.replace(/\/$/, '').replace(/[\\^$.+?()[\]{}|]/g, '\\$&')
  const source = escaped.replaceAll('*', '[^]*')
  return { pattern: new RegExp(ofNames ? `^${source}$` : `^${source}(?:/|$)`), ofNames }
}

/**
 * Maps all names that a file system may treat as equal to one text. File systems of macOS and Windows ignore case, those of
 * macOS also Unicode normalization and some invisible characters (CVE-2014-9390). It equates too many names rather than
 * too few.
 */
export function fold(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{Default_Ignorable_Code_Point}/gu, '')
  return plain.toUpperCase().toLowerCase()
}

/** {@link fold} for a decoded path, which is latin1. A backslash counts as a slash. */
export function foldPath(path: string): string {
  return fold(Buffer.from(path, 'latin1').toString()).replaceAll('\\', '/')
}
