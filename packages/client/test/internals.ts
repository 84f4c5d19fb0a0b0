/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { Backlog } = (await built('pool/backlog')) as typeof import('../src/pool/backlog.ts')

export const { Scheduler } = (await built(
  'pool/scheduler',
)) as typeof import('../src/pool/scheduler.ts')

export const { AfterWork } = (await built(
  'pool/after-work',
)) as typeof import('../src/pool/after-work.ts')

export type Clock = import('../src/pool/clock.ts').Clock

export const { StderrLines } = (await built(
  'exchange/stderr-lines',
)) as typeof import('../src/exchange/stderr-lines.ts')

export const { addParams, encodeParams } = (await built(
  'exchange/params',
)) as typeof import('../src/exchange/params.ts')

export const { RequestQueue } = (await built(
  'pool/request-queue',
)) as typeof import('../src/pool/request-queue.ts')

export const { runInCheckPhase } = (await built(
  'exchange/check-phase',
)) as typeof import('../src/exchange/check-phase.ts')

export const { givenTimeouts } = (await built('options')) as typeof import('../src/options.ts')
