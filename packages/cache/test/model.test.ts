/**
 * Random requests and responses against a model of RFC 9111 in a few lines: what the cache answers must be what a response
 * allows, and nobody ever gets what was made for somebody else.
 */
import { SharedCache } from '@fastcgi/cache'
import fc from 'fast-check'
import t from 'tap'
import { ask, Origin } from './origin.ts'

const RUNS = Number(process.env.FCGI_TEST_RUNS ?? 10_000)
const SEED = Number(process.env.FCGI_TEST_SEED ?? Date.now() % 2 ** 31)

const USERS = [undefined, 'alice', 'bob'] as const

interface Step {
  user: (typeof USERS)[number]
  by: 'cookie' | 'authorization'
  language: string | undefined
  asks: string | undefined
  /** What the response to it says, if the application is asked. */
  control: readonly string[]
  age: number | undefined
  vary: string | undefined
  setsCookie: boolean
  status: number
}

const seconds = fc.constantFrom(0, 1, 30, 60)
const control = fc.subarray(
  [
    'max-age=0',
    'max-age=30',
    'max-age=60',
    's-maxage=0',
    's-maxage=45',
    'public',
    'private',
    'no-store',
    'no-cache',
    'must-revalidate',
    'no-cache="set-cookie"',
  ],
  { maxLength: 4 },
)

const step: fc.Arbitrary<Step> = fc.record({
  user: fc.constantFrom(...USERS),
  by: fc.constantFrom('cookie', 'authorization'),
  language: fc.constantFrom(undefined, 'en', 'de'),
  asks: fc.constantFrom(undefined, undefined, 'no-cache', 'no-store', 'max-age=10', 'min-fresh=40'),
  control,
  age: fc.option(seconds, { nil: undefined }),
  vary: fc.constantFrom(undefined, 'accept-language', 'cookie', '*', 'accept-language, cookie'),
  setsCookie: fc.boolean(),
  status: fc.constantFrom(200, 200, 200, 404, 206, 500),
})

/** A response that the application has made, as the model sees it. */
interface Made {
  step: Step
  headers: Record<string, string>
}

const has = ({ control: all }: Step, name: string): boolean => all.includes(name)

function directive({ control: all }: Step, name: string): number | undefined {
  const found = all.find((each) => each.startsWith(`${name}=`))
  return found === undefined ? undefined : Number(found.slice(name.length + 1))
}

/** Whether RFC 9111 allows this response for another request, without asking the application. */
function mayBeUsed(
  { step: made, headers }: Made,
  asked: Step,
  given: Record<string, string>,
): boolean {
  const lifetime = directive(made, 's-maxage') ?? directive(made, 'max-age') ?? 0
  const left = lifetime - (made.age ?? 0)
  const names = (made.vary ?? '').split(', ').filter((name) => name !== '')
  const mustBeNamed = headers.authorization !== undefined
  const isNamed =
    has(made, 'public') || has(made, 'must-revalidate') || directive(made, 's-maxage') !== undefined
  return (
    left > 0 &&
    !has(made, 'private') &&
    !has(made, 'no-store') &&
    !has(made, 'no-cache') &&
    made.asks !== 'no-store' &&
    made.status !== 206 &&
    made.vary !== '*' &&
    (!made.setsCookie || has(made, 'no-cache="set-cookie"')) &&
    (!mustBeNamed || isNamed) &&
    names.every((name) => headers[name] === given[name]) &&
    asked.asks !== 'no-cache' &&
    (asked.asks !== 'max-age=10' || (made.age ?? 0) < 10) &&
    (asked.asks !== 'min-fresh=40' || left > 40)
  )
}

function headersOf({ user, by, language, asks }: Step): Record<string, string> {
  return {
    ...(user !== undefined && { [by]: user }),
    ...(language !== undefined && { 'accept-language': language }),
    ...(asks !== undefined && { 'cache-control': asks }),
  }
}

function fieldsOf({ control: all, age, vary, setsCookie, user }: Step, id: number): string[] {
  return [
    ...['X-Id', String(id)],
    ...(all.length > 0 ? ['Cache-Control', all.join(', ')] : []),
    ...(age === undefined ? [] : ['Age', String(age)]),
    ...(vary === undefined ? [] : ['Vary', vary]),
    ...(setsCookie ? ['Set-Cookie', `user=${user}`] : []),
  ]
}

const cache = new SharedCache({ staleIfError: 0, heuristic: false })
let runs = 0

/** Runs the steps on a URL of its own; returns what is wrong, if anything is. */
async function run(steps: readonly Step[]): Promise<string | undefined> {
  const origin = new Origin()
  const path = `/${++runs}`
  const made: Made[] = []
  for (const asked of steps) {
    const headers = headersOf(asked)
    const before = origin.asked.length
    const client = ask(cache, origin, { path, headers })
    if (origin.asked.length === before) {
      const id = Number(client.field('x-id'))
      const used = made[id]
      if (used === undefined || !mayBeUsed(used, asked, headers))
        return `${JSON.stringify(headers)} got ${JSON.stringify(used)}`
      if (client.field('set-cookie') !== undefined) return 'it got a cookie of somebody else'
    } else {
      const newest = made.findLast((each) => mayBeUsed(each, asked, headers))
      const isStale = newest !== undefined && made.at(-1) === newest
      if (isStale) return `${JSON.stringify(headers)} did not get ${JSON.stringify(newest)}`
      made.push({ step: asked, headers })
      origin.last.answer(fieldsOf(asked, made.length - 1), `for ${asked.user}`, asked.status)
      if ((await client.text()) !== `for ${asked.user}`) return 'it did not get its own response'
      await new Promise(setImmediate)
    }
  }
  return undefined
}

t.test(`${RUNS} runs, FCGI_TEST_SEED=${SEED}`, async (t) => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 2, maxLength: 6 }),
    async (steps) => {
      const wrong = await run(steps)
      if (wrong !== undefined) throw new Error(wrong)
    },
  )
  const result = await fc.check(property, { numRuns: RUNS, seed: SEED })
  t.notOk(result.failed, result.failed ? (fc.defaultReportMessage(result) ?? '') : 'all of them')
})
