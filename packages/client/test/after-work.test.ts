/** What is remembered of the after-work of scripts. Each test says what would make it fail. */
import t from 'tap'
import { AfterWork } from './internals.ts'

const get = (script: string) => ({ script, idempotent: true })
const post = (script: string) => ({ script, idempotent: false })

t.test('a script is measured once: unknown scripts kept', (t) => {
  const table = new AfterWork()
  t.ok(table.mustClose(get('a'), 0))
  table.measured(get('a'), 0.5, 0.5, 0)
  t.notOk(table.mustClose(get('a'), 1))
  t.ok(table.mustClose(post('a'), 1), 'other methods are another matter')
  t.notOk(table.mustClose(get(''), 1), 'without a script, it is not php-fpm')
  t.end()
})

t.test('a script with after-work is not kept, and named: measurements not used', (t) => {
  const table = new AfterWork()
  table.measured(post('cron'), 75_000, 0.5, 0)
  table.measured(get('a'), 15, 0.5, 0)
  t.ok(table.timeOf(get('a'), 0) > 0)
  t.strictSame(table.list(0), [
    { script: 'cron', idempotent: false, milliseconds: 75_000 },
    { script: 'a', idempotent: true, milliseconds: 15 },
  ])
  t.end()
})

t.test('a worker that got no processor once: one short measurement does not count', (t) => {
  const table = new AfterWork()
  table.measured(get('a'), 30, 0.5, 0)
  table.measured(get('a'), 0.5, 0.5, 1)
  t.notOk(table.mustClose(get('a'), 1))
  table.measured(get('a'), 30, 0.5, 2)
  t.notOk(table.mustClose(get('a'), 2))
  t.end()
})

t.test('a front controller with after-work now and then: long times forgotten at once', (t) => {
  const table = new AfterWork()
  table.measured(get('index'), 0.5, 0.5, 0)
  table.measured(get('index'), 3000, 0.5, 1)
  for (let n = 0; n < 10; n++) table.measured(get('index'), 0.5, 0.5, 2)
  t.ok(table.mustClose(get('index'), 2))
  t.notOk(table.mustClose(get('index'), 60_000), 'the half-life is 10 s')
  t.end()
})

t.test('a request that took long raises doubt: no measurement after it', (t) => {
  const table = new AfterWork()
  table.measured(get('a'), 0.5, 0.5, 0)
  table.nextAnswered('a', true, 10)
  t.notOk(table.mustClose(get('a'), 0))
  table.nextAnswered('a', true, 3000)
  t.ok(table.mustClose(get('a'), 0))
  table.measured(get('a'), 0.5, 0.5, 0)
  t.notOk(table.mustClose(get('a'), 0))
  t.end()
})

t.test('an application that does not close is kept after two attempts: no end of them', (t) => {
  const table = new AfterWork()
  table.gaveUp(get('a'), 5000, 0)
  t.ok(table.mustClose(get('a'), 0))
  table.gaveUp(get('b'), 5000, 0)
  t.notOk(table.mustClose(get('a'), 1))
  t.ok(table.mustClose(get('a'), 60_001), 'until a minute later')
  t.end()
})

t.test('1024 scripts at most: no bound', (t) => {
  const table = new AfterWork()
  for (let n = 0; n < 5000; n++) {
    table.measured(get(`${n}`), 100, 0.5, 0)
    table.measured(post(`${n}`), 100, 0.5, 0)
  }
  t.equal(table.list(0).length, 1024)
  t.ok(table.timeOf(get('4999'), 0) > 0)
  t.end()
})

t.test('the first measurement counts before it ends: nothing known until then', (t) => {
  const table = new AfterWork()
  table.begin(get('a'), 0)
  t.equal(table.timeOf(get('a'), 10), 0)
  t.equal(table.timeOf(get('a'), 500), 500)
  table.measured(get('a'), 0.5, 0.5, 501)
  t.equal(table.timeOf(get('a'), 502), 0)
  t.end()
})
