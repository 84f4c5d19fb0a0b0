/** Parts of the package that it does not export: the rules, which are best tried without a store. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { parseDirectives } = (await built(
  'policy/directives',
)) as typeof import('../src/policy/directives.ts')

export const { parseTargeted } = (await built(
  'policy/targeted-directives',
)) as typeof import('../src/policy/targeted-directives.ts')

export const { freshnessOf, initialAge } = (await built(
  'policy/freshness',
)) as typeof import('../src/policy/freshness.ts')

export const { decideStoring } = (await built(
  'policy/storing',
)) as typeof import('../src/policy/storing.ts')

export const { decideReuse, requestDirectives } = (await built(
  'policy/reusing',
)) as typeof import('../src/policy/reusing.ts')

export const { selects, selectionOf, varyNames } = (await built(
  'policy/vary',
)) as typeof import('../src/policy/vary.ts')

export const { answerOf, hitOf } = (await built('answers')) as typeof import('../src/answers.ts')

export const { hitStatus } = (await built(
  'cache-status',
)) as typeof import('../src/cache-status.ts')
