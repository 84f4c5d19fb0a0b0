import fc from 'fast-check'
import t from 'tap'
import { answerOf, hitOf, hitStatus } from './internals.ts'

t.test('Age and ttl of every hit, the same answer within them: kept for too long', (t) => {
  const whole = { status: 200, reason: '', fields: ['etag', '"1"'], body: Buffer.from('x') }
  const lifetime = fc.integer({ min: 1, max: 5000 })
  // Also a clock that was set back.
  const steps = fc.array(fc.integer({ min: -1500, max: 1500 }), { maxLength: 30 })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), lifetime, steps, (age, left, pauses) => {
      let now = 1_700_000_000_000
      const times = { cachedAt: now - age, staleAt: now + left, directives: {}, vary: undefined }
      const stored = { ...whole, ...times }
      for (const pause of pauses) {
        now += pause
        if (now >= stored.staleAt) continue
        const expected = answerOf(stored, hitStatus(stored.staleAt - now), now)
        t.strictSame(hitOf(stored, now).fields, expected.fields)
      }
    }),
  )
  const stored = { ...whole, cachedAt: 0, staleAt: 10_500, directives: {}, vary: undefined }
  t.equal(hitOf(stored, 1000), hitOf(stored, 1500))
  t.not(hitOf(stored, 1500), hitOf(stored, 1501))
  t.end()
})
