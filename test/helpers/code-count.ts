import { Session } from 'node:inspector/promises'

type Coverage = Awaited<ReturnType<typeof takeCoverage>>[number]
type Range = Coverage['functions'][number]['ranges'][number]

/**
 * Counts how much code is run: characters of source, blanks and comments apart, each as often as it is run. V8 counts
 * every block for its coverage, so the figure is the same on every machine, however busy, as long as nothing is optimized:
 * run with --no-opt --no-maglev, for optimized code does not count.
 */
export class CodeCount {
  readonly #session = new Session()
  /** By URL: at each offset, how many characters of code come before it. */
  readonly #codeBefore = new Map<string, Uint32Array>()

  async start(): Promise<void> {
    this.#session.connect()
    await this.#session.post('Profiler.enable')
    await this.#session.post('Debugger.enable')
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** By URL of the script, what has been run since the last time. */
  async take(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const script of await takeCoverage(this.#session))
      if (script.url !== '')
        counts.set(script.url, (counts.get(script.url) ?? 0) + (await this.#count(script)))
    return counts
  }

  /** Blocks lie in each other, and each has a count of its own. */
  async #count({ scriptId, url, functions }: Coverage): Promise<number> {
    const before = await this.#measure(scriptId, url)
    const size = (range: Range): number =>
      (before.at(Math.min(range.endOffset, before.length - 1)) ?? 0) -
      (before[range.startOffset] ?? 0)
    const ranges = functions
      .flatMap((each) => each.ranges)
      .sort((one, other) => one.startOffset - other.startOffset || other.endOffset - one.endOffset)
    let total = 0
    const around: Range[] = []
    for (const range of ranges) {
      while ((around.at(-1)?.endOffset ?? Number.POSITIVE_INFINITY) <= range.startOffset)
        around.pop()
      total += size(range) * (range.count - (around.at(-1)?.count ?? 0))
      around.push(range)
    }
    return total
  }

  async #measure(scriptId: string, url: string): Promise<Uint32Array> {
    const known = this.#codeBefore.get(url)
    if (known !== undefined) return known
    const { scriptSource } = await this.#session.post('Debugger.getScriptSource', { scriptId })
    const code = scriptSource.replace(/\/\*[\s\S]*?\*\/|(?<![:'"\\])\/\/.*/g, blank)
    const before = new Uint32Array(code.length + 1)
    for (let at = 0; at < code.length; at++)
      before[at + 1] = (before[at] ?? 0) + (code.charCodeAt(at) > 0x20 ? 1 : 0)
    this.#codeBefore.set(url, before)
    return before
  }
}

async function takeCoverage(session: Session) {
  return (await session.post('Profiler.takePreciseCoverage')).result
}

function blank(comment: string): string {
  return ' '.repeat(comment.length)
}
