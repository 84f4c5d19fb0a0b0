/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { readRequestHead } = (await built(
  'request/request-head',
)) as typeof import('../src/request/request-head.ts')

export const { toCgiHead } = (await built(
  'request/response-head',
)) as typeof import('../src/request/response-head.ts')

export const { readArguments } = (await built(
  'listen/arguments',
)) as typeof import('../src/listen/arguments.ts')

export const { BodyFeed } = (await built(
  'request/body-feed',
)) as typeof import('../src/request/body-feed.ts')
