/** php-cgi that leaves after so many requests: its 2,000 processes take both processors of a small machine. */
import t from 'tap'
import { application, ask, managed } from '../helpers/applications.ts'

const PHP = application('php-cgi')

t.test(
  'php-cgi with PHP_FCGI_MAX_REQUESTS=5: 10,000 requests from 12 clients',
  PHP.needs,
  async (t) => {
    const { manager } = managed(t, {
      ...PHP.options(),
      env: { PHP_FCGI_MAX_REQUESTS: 5 },
      processes: 3,
    })
    const failures: string[] = []
    let left = 10_000
    // POST: never sent a second time, so nothing can hide behind a retry.
    const params = { ...PHP.params, REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }
    const answers = new Map<number, number>()
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        while (left-- > 0)
          await ask(manager, params).then(
            (pid) => answers.set(pid, (answers.get(pid) ?? 0) + 1),
            (error) => failures.push(String(error)),
          )
      }),
    )
    t.same(failures, [])
    t.equal(manager.stats.retries, 0)
    t.ok(answers.size >= 2000, 'by 2,000 processes', { processes: answers.size })
    t.equal(Math.max(...answers.values()), 5)
    t.same(manager.stats.failed, 0)
  },
)
