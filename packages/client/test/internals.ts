/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { ServedLimit } = (await built(
  'served-limit',
)) as typeof import('../src/served-limit.ts')

export const { StderrLines } = (await built(
  'stderr-lines',
)) as typeof import('../src/stderr-lines.ts')

export const { encodeParams } = (await built('params')) as typeof import('../src/params.ts')

export const { RequestQueue } = (await built(
  'request-queue',
)) as typeof import('../src/request-queue.ts')

export const { leaveForTurnEnd } = (await built('turn-end')) as typeof import('../src/turn-end.ts')
