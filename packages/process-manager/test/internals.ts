/** Parts of the package that it does not export: those that know no real time, and those that only say what would be done. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export type Fleet = import('../src/supervision/policy.ts').Fleet
export type Policy = import('../src/supervision/policy.ts').Policy
export type Worker = import('../src/supervision/policy.ts').Worker

export const { StaticPolicy } = (await built(
  'policies/static',
)) as typeof import('../src/policies/static.ts')

export const { AdaptivePolicy } = (await built(
  'policies/adaptive',
)) as typeof import('../src/policies/adaptive.ts')

export const { StartThrottle } = (await built(
  'supervision/start-throttle',
)) as typeof import('../src/supervision/start-throttle.ts')

export const { resolveLaunch } = (await built(
  'spawning/spawn-options',
)) as typeof import('../src/spawning/spawn-options.ts')

export const { UpdateWatch } = (await built(
  'supervision/update-watch',
)) as typeof import('../src/supervision/update-watch.ts')
