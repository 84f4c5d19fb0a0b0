/** `fastcgi serve` with PHP compiled to WebAssembly: where there is no PHP, and where it is asked for. */
import t, { type Test } from 'tap'
import { CAN_HIDE_PHP, withoutPhp } from '../helpers/hidden-php.ts'
import { type Served, serveWith, stop } from '../helpers/serve-command.ts'
import { textOf } from '../helpers/serve-site.ts'

const PAGE =
  '<?php echo PHP_VERSION, " ", php_sapi_name(), " ", memory_get_usage() > 0, ini_get("memory_limit");'

async function answersOnWasm(t: Test, served: Served): Promise<void> {
  t.match(await textOf(`${served.url}/`), /^8\.\d+\.\d+ cgi-fcgi 1\d+M$/)
  const line = 'through PHP compiled to WebAssembly, which is slow: for trying and tests (2 workers'
  t.ok(served.stdout().includes(line), served.stdout())
  t.equal(served.stdout().split('\n').length, 2, 'one line')
  await stop(t, served)
}

t.test('no PHP on this machine', CAN_HIDE_PHP, async (t) => {
  const cwd = t.testdir({ 'index.php': PAGE })
  await answersOnWasm(t, await serveWith(t, { cwd, args: ['--port', '0'], within: withoutPhp() }))
})

t.test('--php wasm, with --ini', async (t) => {
  const cwd = t.testdir({ 'index.php': PAGE })
  const args = ['--port', '0', '--php', 'wasm', '--ini', 'memory_limit=101M']
  const served = await serveWith(t, { cwd, args })
  t.match(await textOf(`${served.url}/`), /101M$/)
  await answersOnWasm(t, served)
})
