/** A thousand requests to PHP compiled to WebAssembly, some of which go wrong: no wrong answer, and no growth. */
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { startScriptRunner } from '../helpers/php-wasm.ts'

const MEGABYTE = 1_048_576
const REQUESTS = 1000
/** Of which so many are fatal errors, and as many are aborted. */
const FAILURES = 50
/** What two instances may have that are being replaced by two others, at the limit of their memory. */
const MOST = 450 * MEGABYTE

t.test('a thousand requests, fifty fatal errors and fifty aborts', async (t) => {
  const { ask, script, pid } = await startScriptRunner(t, {
    children: 2,
    ini: { display_errors: 0 },
  })
  const page = script('<?php echo $_GET["n"], str_repeat("x", 20000);')
  const fatal = script('<?php $a = str_repeat("x", 10000000); no_such_function();')
  const endless = script('<?php for (;;) { echo str_repeat("x", 10000); flush(); }')
  let most = 0
  const one = async (n: number): Promise<void> => {
    const kind = n % (REQUESTS / FAILURES)
    if (kind === 0) t.equal((await ask(fatal)).status, 500, `${n} is a fatal error`)
    else if (kind === 10) {
      const signal = AbortSignal.timeout(20)
      await ask(endless, { signal }).then(
        () => t.fail(`${n} was not aborted`),
        (error) => t.equal(error.code, 'FCGI_ABORTED', `${n} is aborted`),
      )
    } else {
      const { status, text } = await ask(page, { params: { QUERY_STRING: `n=${n}` } })
      if (status !== 200 || text !== `${n}${'x'.repeat(20_000)}`)
        t.fail(`${n}: ${status} ${text.slice(0, 100)}`)
    }
    most = Math.max(most, memoryOf(pid))
  }
  let next = 0
  const client = async (): Promise<void> => {
    while (next < REQUESTS) await one(next++)
  }
  await Promise.all([client(), client(), client()])
  t.ok(most < MOST, `${(most / MEGABYTE).toFixed(0)} MB at the most`)
})

/** Bytes that a process has in memory; 0 where the system does not tell. */
function memoryOf(pid: number): number {
  const file = `/proc/${pid}/status`
  const [, kilobytes = '0'] =
    /VmRSS:\s*(\d+)/.exec(existsSync(file) ? readFileSync(file, 'latin1') : '') ?? []
  return Number(kilobytes) * 1024
}
