/** Three php-fpm pools behind one balancer: killed, stopped, restarted, drained, overloaded. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Balancer, type FastCGIError, type FastCGIRequest, type MemberEvent } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { findPhpFpm, type PhpProcess, startPhpFpm } from '#php'
import { needs } from '../helpers/require-program.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until, within } from '../helpers/wait.ts'

const NEEDS_FPM = needs('php-fpm', findPhpFpm())
const ROOT = join(process.cwd(), 'test/fixtures/balancer')

const params = (script: string, more: Record<string, string> = {}) => ({
  GATEWAY_INTERFACE: 'CGI/1.1',
  SERVER_PROTOCOL: 'HTTP/1.1',
  REQUEST_METHOD: 'GET',
  SCRIPT_NAME: `/${script}`,
  SCRIPT_FILENAME: join(ROOT, script),
  REQUEST_URI: `/${script}`,
  ...more,
})

const get = (query = ''): FastCGIRequest => ({
  params: params('member.php', { QUERY_STRING: query }),
  idempotent: true,
})

const BODY = 'x'.repeat(2000)

const post = (log: string, id: string): FastCGIRequest => ({
  params: params('append.php', {
    REQUEST_METHOD: 'POST',
    CONTENT_TYPE: 'application/octet-stream',
    CONTENT_LENGTH: String(BODY.length),
    LOG_FILE: log,
    HTTP_X_ID: id,
  }),
  body: BODY,
})

async function startFpm(t: Test, listen = 'unix'): Promise<PhpProcess> {
  const php = await startPhpFpm({ children: 2, listen, ini: { log_errors: 1, display_errors: 0 } })
  t.teardown(() => php.stop())
  return php
}

/** The master and its children, without a word to anybody. */
async function killAll(php: PhpProcess): Promise<void> {
  process.kill(-php.pid, 'SIGKILL')
  await within('php-fpm to be gone', php.exited)
}

t.test('members die, come back and are drained under load', NEEDS_FPM, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-balancer-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const log = join(directory, 'log')
  // On paths of their own, so that they can come back where they were.
  const listens = ['a', 'b', 'c'].map((name) => `unix:${join(directory, name)}`)
  const fpms = await Promise.all(listens.map((listen) => startFpm(t, listen)))
  const balancer = new Balancer({
    members: listens.map((address, at) => ({ address, name: 'abc'.charAt(at) })),
    retry: 200,
    method: 'least-connection',
  })
  t.teardown(() => balancer.destroy())
  const events: MemberEvent[] = []
  balancer.onMember((event) => events.push(event))
  const seen = (what: string): boolean =>
    events.some(({ member, event }) => `${member} ${event}` === what)

  const failed: Array<[kind: string, code: string]> = []
  const answered: Record<string, number> = { a: 0, b: 0, c: 0 }
  const confirmed = new Set<string>()
  let sent = 0
  let longest = 0
  let running = true

  async function ask(kind: 'get' | 'post'): Promise<void> {
    const id = `${kind}-${sent++}`
    const begun = performance.now()
    try {
      const response = await balancer.request(kind === 'get' ? get() : post(log, id))
      const [name = '', length] = (await response.text()).split(' ')
      if (response.status !== 200) failed.push([kind, String(response.status)])
      if (kind === 'post' && Number(length) !== BODY.length) t.fail(`a body of ${length}`)
      answered[name] = (answered[name] ?? 0) + 1
      if (kind === 'post') confirmed.add(id)
    } catch (error) {
      failed.push([kind, (error as FastCGIError).code])
    }
    longest = Math.max(longest, performance.now() - begun)
  }

  const clients = Array.from({ length: 16 }, async (_, n) => {
    while (running) await ask(n % 2 === 0 ? 'get' : 'post')
  })
  /** Resolves when these, and no others, have answered a good number of requests. */
  async function moved(to: string): Promise<void> {
    await delay(20)
    const before = { ...answered }
    const grown = (name: string) => (answered[name] ?? 0) - (before[name] ?? 0)
    await until(`answers of ${to}`, () => [...to].every((name) => grown(name) > 20))
    const others = [...'abc'].filter((name) => !to.includes(name))
    for (const name of others) t.equal(grown(name), 0, `nothing from ${name}`)
  }

  await moved('abc')
  t.strictSame(failed, [], 'all is well')

  await t.test('one is killed', async (t) => {
    await killAll(fpms[0] as PhpProcess)
    await until('the event', () => seen('a failed'))
    await moved('bc')
    const a = balancer.members[0]
    t.ok((a?.counters.died ?? 0) >= 3)
    t.ok((a?.counters.disabled ?? 0) >= 1)
    t.match(a?.lastError?.message, /unix:/)
  })

  await t.test('it comes back', async (t) => {
    await startFpm(t, listens[0])
    await until('the event', () => seen('a recovered'))
    await moved('abc')
    t.equal(balancer.members[0]?.state(performance.now()), 'ok')
    // It ends with this test: the same once more, politely.
  })
  await until('it to be out again', () => balancer.members[0]?.health.failed === true)
  await moved('bc')
  fpms[0] = await startFpm(t, listens[0])
  await until('it to be back', () => balancer.members[0]?.health.failed === false)
  await moved('abc')

  await t.test('one is stopped', async () => {
    await fpms[1]?.stop('SIGQUIT')
    await until('the event', () => seen('b failed'))
    await moved('ac')
  })

  await t.test('one is drained, and is empty then', async (t) => {
    balancer.drain('c')
    await until('its last request', () => balancer.members[2]?.counters.load === 0)
    await moved('a')
    t.equal(balancer.members[2]?.state(performance.now()), 'draining')
    t.notOk(seen('c failed'))
    balancer.update('c', { status: 'enabled' })
    await moved('ac')
  })

  await t.test('one is removed, another added', async () => {
    await balancer.remove('b')
    fpms[1] = await startFpm(t, listens[1])
    balancer.add({ address: listens[1] as string, name: 'b' })
    await moved('abc')
  })

  running = false
  await Promise.all(clients)
  const written = readFileSync(log, 'utf8').trim().split('\n')
  t.equal(new Set(written).size, written.length, 'no POST was executed twice')
  for (const id of confirmed) if (!written.includes(id)) t.fail(`${id} was confirmed, not done`)
  t.strictSame(
    failed.filter(([kind]) => kind === 'get'),
    [],
    'no GET failed',
  )
  const codes = [...new Set(failed.map(([, code]) => code))]
  t.ok(
    codes.every((code) => code === 'FCGI_PREMATURE_CLOSE'),
    `POSTs failed: ${failed.length} of ${sent / 2}, ${codes}`,
  )
  t.ok(longest < scaled(2000), `the longest took ${longest.toFixed()} ms`)
  t.equal(balancer.stats.active, 0)
  t.equal(balancer.stats.failed, failed.length)
  t.ok(balancer.stats.retries > 0)
  for (const { name, counters } of balancer.members) t.equal(counters.load, 0, name)
})

t.test('ten times more requests than can be served', NEEDS_FPM, async (t) => {
  const fpms = await Promise.all([startFpm(t), startFpm(t), startFpm(t)])
  const balancer = new Balancer({
    members: fpms.map(({ address }) => address),
    maxConnections: 2,
    maxQueue: 2,
    maxRequestsInFlight: 16,
  })
  t.teardown(() => balancer.destroy())
  const refusals: number[] = []
  let answers = 0
  let others = 0
  let most = 0

  // Six children, 20 ms each: 300 a second. Asked for 3000 a second.
  async function one(): Promise<void> {
    const begun = performance.now()
    try {
      const response = await balancer.request(get('wait=20'))
      await response.bytes()
      answers++
    } catch (error) {
      if ((error as FastCGIError).code === 'FCGI_OVERLOADED')
        refusals.push(performance.now() - begun)
      else others++
    }
  }
  const all: Array<Promise<void>> = []
  const heap: number[] = []
  for (let n = 0; n < 250; n++) {
    for (let m = 0; m < 30; m++) all.push(one())
    const { active, queued } = balancer.stats
    most = Math.max(most, active + queued)
    await delay(10)
    if (n % 50 === 49) heap.push(process.memoryUsage().rss)
  }
  await within('all of them', Promise.all(all))
  refusals.sort((a, b) => a - b)
  t.ok(answers > 250, `${answers} answered`)
  t.equal(others, 0, 'no other failures')
  t.equal(answers + refusals.length, 7500, `${refusals.length} refused`)
  // At once is not when the machine is busy with other things, hence the middle one.
  const [middle = 0, last = 0] = [refusals[refusals.length >> 1], refusals.at(-1)]
  t.ok(middle < 20 && last < 2000, `refused within ${middle.toFixed(1)} to ${last.toFixed()} ms`)
  t.ok(most <= 16, `${most} under way`)
  const growth = (heap.at(-1) ?? 0) - (heap[0] ?? 0)
  t.ok(growth < 64 * 2 ** 20, `memory grew by ${(growth / 2 ** 20).toFixed()} MiB`)
  for (const member of balancer.members) {
    t.equal(member.state(performance.now()), 'ok', 'busy is not sick')
    t.equal(member.counters.load, 0)
  }
  t.equal((await balancer.request(get())).status, 200, 'and then it is as before')
})

t.test('queues of members that are full', NEEDS_FPM, async (t) => {
  const fpms = await Promise.all([startFpm(t), startFpm(t)])
  const balancer = new Balancer({
    members: fpms.map(({ address }) => address),
    maxConnections: 1,
    maxQueue: 1,
  })
  t.teardown(() => balancer.destroy())
  const results = await Promise.allSettled(
    Array.from({ length: 12 }, async () => (await balancer.request(get('wait=50'))).text()),
  )
  const refused = results.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 8, 'four have a place')
  for (const result of refused)
    t.match((result as PromiseRejectedResult).reason, {
      code: 'FCGI_OVERLOADED',
      message: /option maxQueue/,
    })
  for (const { counters, health } of balancer.members) {
    t.equal(counters.overloaded, 8, 'each of them was asked')
    t.notOk(health.failed)
  }
})

t.test('a PHP session stays with its member', NEEDS_FPM, async (t) => {
  const fpms = await Promise.all([startFpm(t), startFpm(t), startFpm(t)])
  const balancer = new Balancer({
    members: fpms.map(({ address }, at) => ({ address, route: `r${at}` })),
    stickySession: 'ROUTE',
    method: 'round-robin',
  })
  t.teardown(() => balancer.destroy())
  /** Asks with a cookie; returns the route that answered and the cookie that was set. */
  async function ask(cookie?: string): Promise<[string, string | undefined]> {
    const response = await balancer.request({
      params: params('session.php'),
      idempotent: true,
      balance: {
        path: '/session.php',
        clientAddress: '192.0.2.1',
        cookie: (name) => (name === 'ROUTE' ? cookie : undefined),
        pathParameter: () => undefined,
      },
    })
    const set = response.header('set-cookie')
    return [await response.text(), /^ROUTE=([^;]*)/.exec(set ?? '')?.[1]]
  }
  for (let n = 0; n < 3; n++) {
    const [route, cookie] = await ask()
    t.equal(cookie, `.${route}`)
    for (let m = 0; m < 5; m++) t.strictSame(await ask(cookie), [route, undefined])
  }
  const [route, cookie] = await ask()
  const member = balancer.members.find((member) => member.route === route)
  balancer.drain(member?.name ?? '')
  t.strictSame(await ask(cookie), [route, undefined], 'draining: its sessions stay')
  balancer.update(member?.name ?? '', { status: 'disabled' })
  const [other, moved] = await ask(cookie)
  t.not(other, route)
  t.equal(moved, `.${other}`, 'disabled: it moves, and the cookie with it')
})
