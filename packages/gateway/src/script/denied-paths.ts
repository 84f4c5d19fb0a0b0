/** Paths that no client gets, whatever they would be: files, scripts, or something for a front controller. */
export class DeniedPaths {
  readonly #rules: readonly Rule[]

  /** @param rules paths that begin with a slash, and names; `*` stands for any characters. */
  constructor(rules: readonly string[]) {
    this.#rules = rules.map((text) => ({ text, ...compile(fold(text)) }))
  }

  /** The rule that denies a path, if one does. @param path decoded and normalized, latin1. */
  find(path: string): string | undefined {
    if (this.#rules.length === 0) return undefined
    const folded = foldPath(path)
    const names = folded.split('/')
    return this.#rules.find(({ pattern, ofNames }) =>
      ofNames ? names.some((name) => pattern.test(name)) : pattern.test(folded),
    )?.text
  }
}

interface Rule {
  readonly text: string
  readonly pattern: RegExp
  /** Whether it is about each segment, and not about the path as a whole. */
  readonly ofNames: boolean
}

function compile(rule: string): Pick<Rule, 'pattern' | 'ofNames'> {
  const ofNames = !rule.startsWith('/')
  const escaped = rule.replace(/\/$/, '').replace(/[\\^$.+?()[\]{}|]/g, '\\$&')
  const source = escaped.replaceAll('*', '[^]*')
  return { pattern: new RegExp(ofNames ? `^${source}$` : `^${source}(?:/|$)`), ofNames }
}

/**
 * One text for all the names that a file system may take for the same: those of macOS and Windows ignore case, and
 * macOS the form of letters and some invisible characters (CVE-2014-9390). Too much is denied rather than too little.
 */
export function fold(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{Default_Ignorable_Code_Point}/gu, '')
  return plain.toUpperCase().toLowerCase()
}

/** The same for a decoded path, which is latin1. */
export function foldPath(path: string): string {
  return fold(Buffer.from(path, 'latin1').toString())
}
