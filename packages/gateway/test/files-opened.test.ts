/** The file that is sent is the one that was checked, whatever happens to its name meanwhile; nothing hangs on a fifo. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { ask, site, stubbed } from './harness.ts'

/** How long names are swapped; a fault shows within tens of milliseconds. */
const SWAPPING = 1500
/** How long at most; longer on a machine that is slow. */
const LONGEST = 15_000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1)

/** A gateway whose application hands over this path. */
function handing(path: string, roots: string[]) {
  const { gateway, upstream, log } = stubbed({ checkLocal: false, sendfile: { roots } })
  upstream.headers = ['X-Sendfile', path]
  const get = async () => {
    const { status, response } = await ask(gateway, '/x.php')
    const body = response?.body
    return { status, body: body instanceof Readable ? await text(body) : (body?.toString() ?? '') }
  }
  return { get, log }
}

/** One turn of the other thread: what a path means is one thing, then the other. */
const TURNS = {
  /** A file, and a symlink to another one. */
  file: `
    linkSync(first, path + '.next'); renameSync(path + '.next', path)
    symlinkSync(second, path + '.next'); renameSync(path + '.next', path)`,
  /** A directory, and a symlink to another one; there is nothing in between. */
  directory: `
    renameSync(path, path + '.aside'); symlinkSync(second, path)
    unlinkSync(path); renameSync(path + '.aside', path)`,
  /** Symlinks to two directories. */
  symlink: `
    symlinkSync(first, path + '.next'); renameSync(path + '.next', path)
    symlinkSync(second, path + '.next'); renameSync(path + '.next', path)`,
}

/** Swaps what a path means from another thread until the end of the test. */
async function swapping(
  t: Test,
  kind: keyof typeof TURNS,
  paths: { path: string; first?: string; second: string },
): Promise<void> {
  const program = `
    const { linkSync, renameSync, symlinkSync, unlinkSync } = require('node:fs')
    const { parentPort, workerData: { path, first, second } } = require('node:worker_threads')
    let ended = false
    parentPort.once('message', () => { ended = true })
    const turns = (n) => {
      for (let m = 0; m < 50; m++) {${TURNS[kind]}}
      if (n === 0) parentPort.postMessage('swapping')
      if (!ended) setImmediate(turns, n + 1)
    }
    turns(0)`
  const worker = new Worker(program, { eval: true, workerData: paths })
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  t.teardown(async () => {
    worker.postMessage('end')
    await exited
  })
  await new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
  })
}

/** Asks until time is up, and both answers have come that may: the file that is allowed, and a refusal. */
async function askAgainAndAgain(t: Test, get: () => Promise<{ status: number; body: string }>) {
  const counts: Record<string, number> = {}
  const start = performance.now()
  const isDone = () => {
    const passed = performance.now() - start
    const seen = Object.keys(counts)
    return passed > (seen.includes('200 public') && seen.includes('403 ') ? SWAPPING : LONGEST)
  }
  while (!isDone())
    for (const { status, body } of await Promise.all([get(), get(), get(), get()])) {
      const answer = `${status} ${body}`
      counts[answer] = (counts[answer] ?? 0) + 1
    }
  t.comment(JSON.stringify(counts))
  const seen = Object.keys(counts)
  t.ok(seen.includes('200 public'), 'the file that is allowed')
  t.ok(seen.includes('403 '), 'a refusal')
  const others = seen.filter((answer) => !['200 public', '403 ', '404 '].includes(answer))
  t.strictSame(others, [], 'and nothing else')
}

/** A root with a public file, and a secret one outside of it by the same name. */
function twoSites(t: Test) {
  const base = site(t, 'root/real/')
  mkdirSync(join(base, 'outside'))
  writeFileSync(join(base, 'root/real/a.txt'), 'public')
  writeFileSync(join(base, 'outside/a.txt'), 'secret')
  return base
}

const SYSTEMS = process.platform === 'linux' ? ['linux', 'another system'] : [process.platform]
for (const system of SYSTEMS)
  t.test(`a file that is swapped for a symlink, on ${system}`, async (t) => {
    if (system === 'another system') pretendToBeOn(t, 'freebsd')
    const base = twoSites(t)
    const path = join(base, 'root/swapped.txt')
    writeFileSync(path, 'public')
    const { get } = handing(path, [join(base, 'root')])
    const first = join(base, 'root/real/a.txt')
    await swapping(t, 'file', { path, first, second: join(base, 'outside/a.txt') })
    await askAgainAndAgain(t, get)
  })

t.test('a directory that is swapped for a symlink', async (t) => {
  // Other systems do not tell where an open file lies.
  if (process.platform !== 'linux') return
  const base = twoSites(t)
  const path = join(base, 'root/real')
  const { get } = handing(join(path, 'a.txt'), [join(base, 'root')])
  await swapping(t, 'directory', { path, second: join(base, 'outside') })
  await askAgainAndAgain(t, get)
})

t.test('a root that is switched to another release is never half of each', async (t) => {
  const base = site(t, 'one/', 'two/')
  for (const name of ['one', 'two']) writeFileSync(join(base, name, 'a.txt'), 'public')
  const [path, first, second] = ['current', 'one', 'two'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ]
  symlinkSync(first, path)
  const { get } = handing(join(path, 'a.txt'), [path])
  await swapping(t, 'symlink', { path, first, second })
  const seen = new Set<string>()
  for (const end = performance.now() + 500; performance.now() < end; ) {
    const { status, body } = await get()
    seen.add(`${status} ${body}`)
  }
  t.strictSame([...seen], ['200 public'])
})

t.test('what is no regular file', async (t) => {
  const base = twoSites(t)
  const root = join(base, 'root')
  execFileSync('/usr/bin/mkfifo', [join(root, 'fifo')])
  const server = createServer().listen(join(root, 's'))
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  for (const name of ['fifo', 's', 'real']) {
    const { get, log } = handing(join(root, name), [root])
    // More than there are threads that could hang.
    const answers = await Promise.all(Array.from({ length: 8 }, () => get()))
    t.same(answers, Array(8).fill({ status: 403, body: '' }), name)
    t.match(log[0], /^warn x-sendfile of the application refused: .*\(option sendfile\)/)
  }
  const device = handing('/dev/zero', ['/dev'])
  t.same(await device.get(), { status: 403, body: '' })
  const { get } = handing(join(root, 'real/a.txt'), [root])
  t.same(await get(), { status: 200, body: 'public' })
})

t.test('files are closed whatever becomes of the request', async (t) => {
  if (process.platform !== 'linux') return
  const base = twoSites(t)
  const root = join(base, 'root')
  const { gateway, upstream } = stubbed({ checkLocal: false, sendfile: { roots: [root] } })
  const path = join(root, 'real/a.txt')
  const large = join(root, 'large')
  writeFileSync(large, 'x'.repeat(100_000))
  const open = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(base)
      } catch {
        return false
      }
    })
  const cases: Array<
    [name: string, value: string, headers?: Record<string, string>, method?: string]
  > = [
    ['X-Sendfile', path],
    ['X-Sendfile', path, {}, 'HEAD'],
    ['X-Sendfile', path, { 'if-none-match': '*' }],
    ['X-Sendfile', path, { 'if-match': '"x"' }],
    ['X-Sendfile', large],
    ['X-Sendfile', large, {}, 'HEAD'],
    ['X-Sendfile', path, { range: 'bytes=99-' }],
    ['X-Sendfile', path, { range: 'bytes=0-1' }],
    ['X-Sendfile', join(root, 'real')],
    ['X-Sendfile', join(base, 'outside/a.txt')],
    ['X-Sendfile2', `${path} 0-1,${path} 3-`],
    ['X-Sendfile2', `${large} 0-,${large} 3-`],
    ['X-Sendfile2', `${path} 6-`],
    ['X-Sendfile2', `${path} 0-1,${root}/none 0-1`],
    ['X-Sendfile2', `${path} 0-1,${base}/outside/a.txt 0-1`],
  ]
  for (const [name, value, headers = {}, method = 'GET'] of cases) {
    upstream.headers = [name, value]
    const { response } = await ask(gateway, '/x.php', { headers, method })
    const body = response?.body
    if (body instanceof Readable) {
      t.equal(open().length, 1, `${value} is open until it is read`)
      await text(body)
      await new Promise((resolve) => (body.closed ? resolve(0) : body.once('close', resolve)))
    }
    t.strictSame(open(), [], `${method} ${name}: ${value} ${JSON.stringify(headers)}`)
  }
  upstream.headers = ['X-Sendfile', large]
  const { response } = await ask(gateway, '/x.php')
  const body = response?.body as Readable
  body.destroy()
  await new Promise((resolve) => body.once('close', resolve))
  t.strictSame(open(), [], 'given up')
})

function pretendToBeOn(t: Test, platform: string): void {
  const before = process.platform
  Object.defineProperty(process, 'platform', { value: platform })
  t.teardown(() => Object.defineProperty(process, 'platform', { value: before }))
}
