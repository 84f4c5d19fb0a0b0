/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { ConcurrencyLimit } = (await built(
  'pool/concurrency-limit',
)) as typeof import('../src/pool/concurrency-limit.ts')

export const { StderrLines } = (await built(
  'exchange/stderr-lines',
)) as typeof import('../src/exchange/stderr-lines.ts')

export const { encodeParams } = (await built(
  'exchange/params',
)) as typeof import('../src/exchange/params.ts')

export const { RequestQueue } = (await built(
  'pool/request-queue',
)) as typeof import('../src/pool/request-queue.ts')

export const { runInCheckPhase } = (await built(
  'exchange/check-phase',
)) as typeof import('../src/exchange/check-phase.ts')

export const { givenTimeouts } = (await built('options')) as typeof import('../src/options.ts')
