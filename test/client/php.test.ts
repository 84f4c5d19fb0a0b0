/** The client and a real php-fpm: reuse that is fair, restarts, crashes, aborts. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FastCGIClient, type FastCGIRequest, type PoolOptions } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { findPhpFpm, type PhpFpmOptions, type PhpProcess, startPhpFpm } from '#php'
import { KEPT } from '../helpers/kept.ts'
import { poolOf, send, sent } from '../helpers/outcome.ts'
import { needs } from '../helpers/require-program.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until } from '../helpers/wait.ts'

const options = needs('php-fpm', findPhpFpm())

const root = mkdtempSync(join(tmpdir(), 'fcgi-php-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))

/** Params for a script of this source. */
function script(name: string, source: string, more: Record<string, string> = {}) {
  const file = join(root, `${name}.php`)
  writeFileSync(file, source)
  return {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: `/${name}.php`,
    SCRIPT_FILENAME: file,
    REQUEST_URI: `/${name}.php`,
    ...more,
  }
}

async function php(t: Test, options: PhpFpmOptions = {}): Promise<PhpProcess> {
  const started = await startPhpFpm({
    children: 2,
    ...options,
    // What is printed leaves at flush(), whatever this machine's php.ini says.
    ini: { output_buffering: 0, ...options.ini },
  })
  t.teardown(() => started.stop())
  return started
}

async function phpAndClient(
  t: Test,
  phpOptions: PhpFpmOptions = {},
  poolOptions: PoolOptions = {},
): Promise<{ client: FastCGIClient; fpm: PhpProcess }> {
  const fpm = await php(t, phpOptions)
  const client = new FastCGIClient(fpm.address, poolOptions)
  t.teardown(() => client.destroy())
  return { client, fpm }
}

const pid = script('pid', '<?php echo getmypid();')

t.test('the useful things', options, async (t) => {
  const { client } = await phpAndClient(t)
  const params = script(
    'echo',
    `<?php
      header('X-Method: ' . $_SERVER['REQUEST_METHOD']);
      http_response_code(201);
      error_log('a line for the log');
      echo file_get_contents('php://input');`,
    { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '5', CONTENT_TYPE: 'text/plain' },
  )
  const response = await client.request({ params, body: 'hällo'.slice(0, 4) })
  t.equal(response.status, 201)
  t.equal(response.reason, 'Created')
  t.equal(response.header('x-method'), 'POST')
  t.equal(await response.text(), 'häll')
  t.equal(response.appStatus, 0)
  t.match(response.stderr.join('\n'), /a line for the log/)

  const missing = await client.request({ params: { ...pid, SCRIPT_FILENAME: `${root}/none.php` } })
  t.equal(missing.status, 404)
  t.match(await missing.text(), /File not found/)
  t.match(missing.stderr.join('\n'), /Primary script unknown/)
})

t.test('requests in a row use one connection', options, async (t) => {
  const { client } = await phpAndClient(t, {}, KEPT)
  const pids = new Set<string>()
  for (let n = 0; n < 10; n++) {
    const response = await client.request({ params: pid })
    t.equal(response.attempt?.reused, n > 0)
    pids.add(await response.text())
  }
  t.equal(pids.size, 1)
  t.match(client.stats, { connections: 1, idle: 1, retries: 0, failed: 0 })
})

t.test('more requests at once than children, and then none: nobody waits', options, async (t) => {
  // Far apart: what takes as long as an idle connection is kept has waited for it to be closed.
  const { client } = await phpAndClient(t, {}, { maxAge: scaled(5000), idleTimeout: scaled(5000) })
  for (const count of [3, 8, 30]) {
    const begun = performance.now()
    await Promise.all(
      Array.from({ length: count }, async () => (await client.request({ params: pid })).bytes()),
    )
    const took = performance.now() - begun
    t.ok(took < scaled(1500), `${count} requests took ${took.toFixed()} ms`)
  }
})

t.test('pm.max_requests: children that end cost no request', options, async (t) => {
  // A child that has had enough answers and closes up to some milliseconds later; what it swallows in between is lost.
  for (const idempotent of [true, false]) {
    const { client } = await phpAndClient(t, { pool: { 'pm.max_requests': 5 } })
    const pids = new Set<string>()
    for (let n = 0; n < 50; n++) {
      const requests = Array.from({ length: 8 }, () => client.request({ params: pid, idempotent }))
      for (const response of await Promise.all(requests)) pids.add(await response.text())
    }
    t.match(client.stats, { requests: 400, failed: 0 }, `idempotent: ${idempotent}`)
    t.ok(pids.size >= 60, `${pids.size} children`)
  }
})

t.test('stopped: ConnectError; started again: works', options, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const listen = `unix:${join(directory, 's')}`
  const first = await php(t, { listen })
  const client = new FastCGIClient(listen)
  t.teardown(() => client.destroy())
  await (await client.request({ params: pid })).text()
  await first.stop()
  await t.rejects(client.request({ params: pid }), { code: 'FCGI_CONNECT', message: listen })
  await php(t, { listen })
  for (let n = 0; n < 5; n++) t.equal((await client.request({ params: pid })).status, 200)
})

t.test(
  'stopped while a connection is idle: the idempotent request is not the victim',
  options,
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const listen = `unix:${join(directory, 's')}`
    const first = await php(t, { listen })
    const client = new FastCGIClient(listen, { maxAge: 0, idleTimeout: 0 })
    t.teardown(() => client.destroy())
    await (await client.request({ params: pid })).text()
    await first.stop('SIGKILL')
    await php(t, { listen })
    const response = await client.request({ params: pid, idempotent: true })
    t.equal(response.status, 200)
  },
)

const linuxOnly = options.skip || (process.platform !== 'linux' && 'no list of children here')

t.test('a child killed in the middle of a body', { skip: linuxOnly }, async (t) => {
  const { address, children } = await php(t)
  const pool = poolOf(t, address)
  const params = script('long', "<?php echo getmypid(), ' '; flush(); sleep(20); echo 'end';")
  const outcome = send(t, pool, { params, idempotent: true })
  await until('the process id', () => outcome.body.includes(' '))
  const victim = Number(outcome.body.toString())
  t.ok(children().includes(victim))
  process.kill(victim, 'SIGKILL')
  const { error, status } = await outcome.done
  t.equal(status, 200)
  t.match(error, { code: 'FCGI_PREMATURE_CLOSE', message: /in the middle of the response body/ })
  t.equal((await sent(t, pool, { params: pid })).status, 200, 'the other child, or the next one')
})

t.test('a child killed before it answers', { skip: linuxOnly }, async (t) => {
  const { address } = await php(t)
  const pool = poolOf(t, address)
  const mark = join(root, 'killed')
  const params = script(
    'suicide',
    `<?php file_put_contents('${mark}', 'x', FILE_APPEND); exec('kill -9 ' . getmypid());`,
  )
  t.match((await sent(t, pool, { params })).error, { code: 'FCGI_PREMATURE_CLOSE' })
  t.equal(readFileSync(mark, 'utf8'), 'x', 'not idempotent: once')
  t.match((await sent(t, pool, { params, idempotent: true })).error, {
    code: 'FCGI_PREMATURE_CLOSE',
  })
  t.equal(readFileSync(mark, 'utf8'), 'xx', 'idempotent, but the connection was new: once more')
})

t.test('an abort ends the script', options, async (t) => {
  const { client } = await phpAndClient(t)
  const run = async (name: string, request: Partial<FastCGIRequest>) => {
    const [begun, ended] = [join(root, `${name}-begun`), join(root, `${name}-ended`)]
    const params = script(
      name,
      `<?php
        file_put_contents('${begun}', '1');
        register_shutdown_function(function () {
          file_put_contents('${ended}', connection_aborted() ? 'aborted' : 'whole');
        });
        for ($n = 0; $n < 100; $n++) { echo str_repeat('x', 4096); flush(); usleep(5000); }`,
    )
    const result = client.request({ params, ...request })
    await until('the script to begin', () => existsSync(begun))
    return { result, ended }
  }
  t.test('by the signal', async (t) => {
    const controller = new AbortController()
    const { result, ended } = await run('by-signal', { signal: controller.signal })
    const { body } = await result
    controller.abort()
    await t.rejects(body.toArray(), { code: 'FCGI_ABORTED' })
    await until('the script to end', () => existsSync(ended) && readFileSync(ended).length > 0)
    t.equal(readFileSync(ended, 'utf8'), 'aborted')
  })
  t.test('by destroying the body', async (t) => {
    const { result, ended } = await run('by-destroy', {})
    const { body } = await result
    body.destroy()
    await until('the script to end', () => existsSync(ended) && readFileSync(ended).length > 0)
    t.equal(readFileSync(ended, 'utf8'), 'aborted')
  })
  t.test('and nothing else does', async (t) => {
    const { result, ended } = await run('by-nothing', {})
    t.equal((await (await result).bytes()).length, 409_600)
    await until('the script to end', () => existsSync(ended) && readFileSync(ended).length > 0)
    t.equal(readFileSync(ended, 'utf8'), 'whole')
  })
})

t.test('a slow reader holds the script back, and gets it all', options, async (t) => {
  const { client } = await phpAndClient(t)
  const params = script('big', "<?php for ($n = 0; $n < 300; $n++) echo str_repeat('y', 10000);")
  const { body } = await client.request({ params })
  let length = 0
  for await (const chunk of body) {
    length += (chunk as Buffer).length
    if (length % 7 === 0) await delay(1)
  }
  t.equal(length, 3_000_000)
})

t.test('an upload of 5 MB', options, async (t) => {
  const { client } = await phpAndClient(t, { ini: { post_max_size: '20M' } }, KEPT)
  const body = Buffer.alloc(5_000_000, 'z')
  const params = script('sum', "<?php echo md5(file_get_contents('php://input'));", {
    REQUEST_METHOD: 'POST',
    CONTENT_TYPE: 'application/octet-stream',
    CONTENT_LENGTH: String(body.length),
  })
  const { createHash } = await import('node:crypto')
  const response = await client.request({ params, body })
  t.equal(await response.text(), createHash('md5').update(body).digest('hex'))
  t.equal(client.stats.idle, 1)
})
