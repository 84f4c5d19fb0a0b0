/** What is given on the command line. */
import { parseArgs } from 'node:util'
import { ADAPTERS, type AdapterName } from '../helpers/adapters.ts'

export interface ChaosOptions {
  adapters: readonly AdapterName[]
  seconds: number
  seed: number
  /** Adapters one after the other, or side by side. */
  together: boolean
}

export const USAGE = `npm run chaos -- [MINUTES] [--adapter fastify|express|http] [--seed N] [--together]
  MINUTES     of each adapter, fractions allowed; 2 without
  --adapter   one of them, may be given several times; all without
  --seed      of everything that is random; one of its own without
  --together  adapters side by side instead of one after the other`

/** @throws Error when they cannot be used. */
export function chaosOptions(args: string[]): ChaosOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      adapter: { type: 'string', multiple: true },
      seed: { type: 'string' },
      together: { type: 'boolean' },
    },
  })
  const minutes = Number(positionals[0] ?? 2)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9))
  if (!(minutes > 0) || positionals.length > 1) throw new Error(`minutes: ${positionals}`)
  if (!Number.isSafeInteger(seed)) throw new Error(`seed: ${values.seed}`)
  return {
    adapters: (values.adapter ?? ADAPTERS).map(adapterOf),
    seconds: minutes * 60,
    seed,
    together: values.together ?? false,
  }
}

function adapterOf(name: string): AdapterName {
  const found = ADAPTERS.find((known) => known === name)
  if (found === undefined) throw new Error(`adapter: ${name}`)
  return found
}
