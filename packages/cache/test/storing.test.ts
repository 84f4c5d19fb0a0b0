/** What may be stored and for how long (RFC 9111 §3, §4.2), and when it may be used (§4, §5.2.1). */
import t from 'tap'
import {
  decideReuse,
  decideStoring,
  freshnessOf,
  initialAge,
  requestDirectives,
} from './internals.ts'

const NOW = Date.UTC(2030, 0, 1)
const date = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString()
const RULES = {
  valid: {},
  ignore: new Set<string>(),
  heuristic: true,
  staleWhileRevalidate: 0,
  staleIfError: 0,
}
type Rules = Partial<typeof RULES> & { valid?: Record<string, number> }

/** Whether a response is stored: its lifetime in seconds, or why not. */
function stored(
  fields: readonly string[],
  more: {
    status?: number
    headers?: Record<string, string>
    guarded?: boolean
    rules?: Rules
  } = {},
): number | string {
  const { status = 200, headers = {}, guarded = false, rules = {} } = more
  const decision = decideStoring(
    { method: 'GET', headers, isRestricted: guarded },
    { status, fields, asked: NOW, arrived: NOW },
    { ...RULES, ...rules },
  )
  if (!decision.store) return decision.because
  return (decision.storage.staleAt - decision.storage.cachedAt) / 1000
}

const cc = (value: string, ...more: string[]): string[] => ['Cache-Control', value, ...more]

t.test('lifetimes', async (t) => {
  t.equal(stored(cc('max-age=60')), 60)
  t.equal(stored(cc('max-age=60, s-maxage=5')), 5)
  t.equal(stored(cc('max-age=60', 'Expires', date(-10))), 60)
  t.equal(stored(['Expires', date(90)]), 90)
  t.equal(stored(['Expires', date(90), 'Date', date(-10)]), 100)
  t.equal(stored(['Expires', '0', 'ETag', '"a"']), 0)
  t.equal(stored(['Expires', date(90), 'Expires', date(80)]), 'stale')
  t.equal(stored(cc('max-age=60', 'CDN-Cache-Control', 'max-age=5')), 5)
  t.equal(stored(cc('no-store', 'CDN-Cache-Control', 'max-age=5')), 5)
  t.equal(stored(cc('max-age=5', 'CDN-Cache-Control', 'no-store')), 'no-store')
  t.equal(stored(['Expires', date(90), 'CDN-Cache-Control', 'foo']), 'no-freshness')
  t.equal(stored(cc('no-store', 'X-Accel-Expires', '30')), 30)
  t.equal(stored(cc('max-age=60', 'X-Accel-Expires', '0')), 'stale')
  t.equal(stored(['X-Accel-Expires', `@${NOW / 1000 + 7}`]), 7)
  t.equal(stored(cc('max-age=60'), { status: 599 }), 60)
})

t.test('what says nothing is stored only on purpose', async (t) => {
  t.equal(stored([]), 'no-freshness')
  t.equal(stored(['ETag', '"a"']), 'no-freshness')
  t.equal(stored([], { rules: { valid: { 200: 5000 } } }), 5)
  t.equal(stored([], { status: 404, rules: { valid: { 200: 5000, any: 1000 } } }), 1)
  t.equal(stored([], { status: 404, rules: { valid: { 200: 5000 } } }), 'no-freshness')
  t.equal(stored(cc('no-store'), { rules: { valid: { any: 1000 } } }), 'no-store')
  t.equal(
    stored(cc('no-store'), { rules: { valid: { any: 1000 }, ignore: new Set(['cache-control']) } }),
    1,
  )
})

t.test('estimated from Last-Modified, for requests without cookies', async (t) => {
  const old = ['Last-Modified', date(-1000)]
  t.equal(stored(old), 100)
  t.equal(stored(old, { headers: { cookie: 'a' } }), 'cookie')
  t.equal(stored(old, { rules: { heuristic: false } }), 'no-freshness')
  t.equal(stored(['Last-Modified', date(-100_000_000)]), 86_400)
  for (const status of [201, 202, 403, 502, 599])
    t.equal(stored(old, { status }), 'no-freshness', `${status}`)
  t.equal(stored(cc('public', ...old), { status: 599, headers: { cookie: 'a' } }), 100)
})

t.test('what is never stored', async (t) => {
  t.equal(stored(cc('no-store, max-age=60')), 'no-store')
  t.equal(stored(cc('no-store, must-understand, max-age=60')), 60)
  t.equal(stored(cc('must-understand, max-age=60'), { status: 299 }), 'must-understand')
  t.equal(stored(cc('private, max-age=60')), 'private')
  t.equal(stored(cc('max-age=60', 'Vary', '*')), 'vary')
  t.equal(stored(cc('max-age=0')), 'stale')
  for (const status of [206, 304, 412, 416])
    t.equal(stored(cc('max-age=60'), { status }), 'status', `${status}`)
  t.equal(
    stored(cc('max-age=60'), { headers: { 'cache-control': 'no-store' } }),
    'request-no-store',
  )
})

t.test('cookies', async (t) => {
  const cookie = ['Set-Cookie', 'a=1']
  t.equal(stored(cc('max-age=60', ...cookie)), 'set-cookie')
  t.equal(stored(cc('public, max-age=60', ...cookie)), 'set-cookie')
  t.equal(stored(cc('max-age=60, no-cache="Set-Cookie"', ...cookie)), 60)
  t.equal(stored(cc('max-age=60, private="set-cookie"', ...cookie)), 60)
  t.equal(stored(cc('max-age=60', ...cookie), { rules: { ignore: new Set(['set-cookie']) } }), 60)
})

t.test('Authorization and guards', async (t) => {
  for (const [more, because] of [
    [{ headers: { authorization: 'Basic x' } }, 'authorization'],
    [{ guarded: true }, 'guarded'],
  ] as const) {
    t.equal(stored(cc('max-age=60'), more), because)
    t.equal(stored(cc('max-age=60, public'), more), 60)
    t.equal(stored(cc('max-age=60, must-revalidate'), more), 60)
    t.equal(stored(cc('s-maxage=60'), more), 60)
    t.equal(stored(['X-Accel-Expires', '60'], more), because)
    t.equal(stored([], { ...more, rules: { valid: { any: 1000 } } }), because)
  }
})

t.test('age', async (t) => {
  const age = (...fields: string[]): number => initialAge(fields, NOW - 2000, NOW) / 1000
  t.equal(age(), 0, 'the application itself generates its response when it sends it')
  t.equal(age('Age', '10'), 12)
  t.equal(age('Age', '10, old'), 12)
  t.equal(age('Age', '0', 'Age', '10'), 2)
  for (const invalid of ['old', '-7', '1.0', '']) t.equal(age('Age', invalid), 0, invalid)
  t.equal(age('Date', date(-30)), 30)
  t.equal(age('Age', '99999999999') >= 2 ** 31, true)
  t.equal(freshnessOf(200, cc('max-age=1'), RULES, NOW).lifetime, 1000)
})

t.test('use', async (t) => {
  const use = (age: number, control: string, asked?: string, rules = RULES): string => {
    const decision = decideStoring(
      { method: 'GET', headers: {}, isRestricted: false },
      { status: 200, fields: cc(control, 'ETag', '"a"'), asked: NOW, arrived: NOW },
      rules,
    )
    if (!decision.store) return decision.because
    const directives = requestDirectives(asked === undefined ? {} : { 'cache-control': asked })
    return decideReuse(decision.storage, directives, rules, NOW + age * 1000)
  }
  t.equal(use(9, 'max-age=10'), 'fresh')
  t.equal(use(10, 'max-age=10'), 'validate')
  t.equal(use(0, 'max-age=10, no-cache'), 'validate')
  t.equal(use(12, 'max-age=10, stale-while-revalidate=5'), 'updating')
  t.equal(use(16, 'max-age=10, stale-while-revalidate=5'), 'validate')
  t.equal(use(12, 'max-age=10, must-revalidate, stale-while-revalidate=5'), 'validate')
  t.equal(use(12, 's-maxage=10, stale-while-revalidate=5'), 'updating')
  t.equal(use(12, 'max-age=10', undefined, { ...RULES, staleWhileRevalidate: 5000 }), 'updating')
  t.equal(use(12, 's-maxage=10', undefined, { ...RULES, staleWhileRevalidate: 5000 }), 'validate')
  t.equal(use(1, 'max-age=10', 'no-cache'), 'validate')
  t.equal(use(1, 'max-age=10', 'max-age=0'), 'validate')
  t.equal(use(1, 'max-age=10', 'max-age=2'), 'fresh')
  t.equal(use(1, 'max-age=10', 'min-fresh=9'), 'validate')
  t.equal(use(12, 'max-age=10', 'max-stale'), 'allowed')
  t.equal(use(12, 'max-age=10', 'max-stale=1'), 'validate')
  t.equal(use(12, 'max-age=10, must-revalidate', 'max-stale'), 'validate')
  t.same(requestDirectives({ pragma: 'no-cache' }), { 'no-cache': true })
  t.same(requestDirectives({ pragma: 'no-cache', 'cache-control': 'max-age=1' }), { 'max-age': 1 })
})
