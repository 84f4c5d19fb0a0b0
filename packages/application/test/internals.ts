/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { readRequestHead } = (await built(
  'request-head',
)) as typeof import('../src/request-head.ts')

export const { toCgiHead } = (await built(
  'response-head',
)) as typeof import('../src/response-head.ts')

export const { readArguments } = (await built('arguments')) as typeof import('../src/arguments.ts')

export const { BodyFeed } = (await built('body-feed')) as typeof import('../src/body-feed.ts')
