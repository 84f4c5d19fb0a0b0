/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { basicCredentials, challenge } = (await built(
  'authorizer/credentials',
)) as typeof import('../src/authorizer/credentials.ts')

export const { imitates, paramOf, Variables, variablesOf } = (await built(
  'environment/variables',
)) as typeof import('../src/environment/variables.ts')

export const { mountedURL } = (await built(
  'request/mount-point',
)) as typeof import('../src/request/mount-point.ts')
