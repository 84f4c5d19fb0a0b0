/** Parts of the package that it does not export: those that know no real time, and those that only say what would be done. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export type Fleet = import('../src/policies/policy.ts').Fleet
export type Policy = import('../src/policies/policy.ts').Policy
export type Worker = import('../src/policies/policy.ts').Worker

export const { StaticPolicy } = (await built(
  'policies/static',
)) as typeof import('../src/policies/static.ts')

export const { AdaptivePolicy } = (await built(
  'policies/adaptive',
)) as typeof import('../src/policies/adaptive.ts')

export const { StartGate } = (await built('start-gate')) as typeof import('../src/start-gate.ts')

export const { resolveLaunch } = (await built(
  'spawn-options',
)) as typeof import('../src/spawn-options.ts')
