/** A file that has just been sent is opened anew without the thread pool, and all that may have happened to it is noticed. */
import { createHook } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { ask, site, stubbed } from './harness.ts'

/** Larger than what is sent in one write with the head. */
const LARGE = 100_000

interface Answer {
  status: number
  body: string
}

/** Statuses of what may not be sent: a static file is not looked for where it may not be. */
const REFUSALS = new Set([403, 404])

/** Asks for a file in one of the ways it can be sent. */
type Get = (headers?: Record<string, string>) => Promise<Answer>

interface Site {
  base: string
  root: string
  /** A file of the root, with 'public' in it. */
  path: string
  get: Get
}

/** Ways to have `root/dir/a.txt` sent. */
const WAYS: Readonly<Record<string, (base: string, follow: boolean) => Get>> = {
  static(base, followSymlinks) {
    const { gateway } = stubbed({ root: join(base, 'root'), static: true, followSymlinks })
    return (headers = {}) => answerOf(ask(gateway, '/dir/a.txt', { headers }))
  },
  'X-Sendfile': (base) => {
    const { gateway, upstream } = stubbed({
      checkLocal: false,
      sendfile: { roots: [join(base, 'root')] },
    })
    upstream.headers = ['X-Sendfile', join(base, 'root/dir/a.txt')]
    return (headers = {}) => answerOf(ask(gateway, '/x.php', { headers }))
  },
}

async function answerOf(asked: ReturnType<typeof ask>): Promise<Answer> {
  const { status, response } = await asked
  const body = response?.body
  return { status, body: body instanceof Readable ? await text(body) : (body?.toString() ?? '') }
}

/** How often a request goes to the thread pool for a file. */
async function looks(get: Get): Promise<number> {
  let count = 0
  const hook = createHook({
    init(_id, type) {
      if (type.startsWith('FSREQ')) count++
    },
  })
  hook.enable()
  await get()
  hook.disable()
  return count
}

function isRefused(t: Test, { status, body }: Answer, message = 'refused'): void {
  t.ok(REFUSALS.has(status), message)
  t.equal(body, '')
}

/** Runs a test for each way, with a file that has just been sent. */
async function eachWay(
  t: Test,
  name: string,
  run: (t: Test, site: Site) => Promise<void>,
): Promise<void> {
  if (process.platform !== 'linux') return
  for (const [way, make] of Object.entries(WAYS))
    await t.test(`${name}, ${way}`, async (t) => {
      const base = site(t, 'root/dir/', 'outside/dir/')
      const root = join(base, 'root')
      const path = join(root, 'dir/a.txt')
      writeFileSync(path, 'public')
      writeFileSync(join(base, 'outside/dir/a.txt'), 'secret')
      const get = make(base, false)
      t.same(await get(), { status: 200, body: 'public' })
      // Of X-Sendfile there is one, which is the answer of the application.
      t.equal(await looks(get), 0, 'it is warm')
      await run(t, { base, root, path, get })
    })
}

t.test('a warm file', async (t) => {
  await eachWay(t, 'conditions and ranges', async (t, { get }) => {
    t.same(await get({ range: 'bytes=1-3' }), { status: 206, body: 'ubl' })
    t.same(await get({ 'if-none-match': '*' }), { status: 304, body: '' })
    t.same(await get({ range: 'bytes=99-' }), { status: 416, body: '' })
    t.equal(await looks(get), 0)
  })

  await eachWay(t, 'changed in place', async (t, { path, get }) => {
    const { mtime } = statSync(path)
    writeFileSync(path, 'PUBLIC')
    utimesSync(path, mtime, mtime)
    t.same(await get(), { status: 200, body: 'PUBLIC' })
    truncateSync(path, 3)
    t.same(await get(), { status: 200, body: 'PUB' })
    truncateSync(path, 0)
    t.same(await get(), { status: 200, body: '' })
    writeFileSync(path, 'x'.repeat(LARGE))
    t.same(await get(), { status: 200, body: 'x'.repeat(LARGE) })
  })

  await eachWay(t, 'replaced by another', async (t, { base, path, get }) => {
    for (const content of ['second', 'third!', 'fourth']) {
      writeFileSync(join(base, 'next'), content)
      renameSync(join(base, 'next'), path)
      t.same(await get(), { status: 200, body: content })
    }
  })

  await eachWay(t, 'deleted', async (t, { path, get }) => {
    rmSync(path)
    t.equal((await get()).status, 404)
    writeFileSync(path, 'again')
    t.same(await get(), { status: 200, body: 'again' })
  })

  await eachWay(t, 'replaced by a symlink out of the root', async (t, { base, path, get }) => {
    rmSync(path)
    symlinkSync(join(base, 'outside/dir/a.txt'), path)
    isRefused(t, await get())
  })

  await eachWay(t, 'in a directory that becomes a symlink', async (t, { base, root, get }) => {
    renameSync(join(root, 'dir'), join(base, 'aside'))
    symlinkSync(join(base, 'outside/dir'), join(root, 'dir'))
    isRefused(t, await get())
    rmSync(join(root, 'dir'))
    // The same file by way of a symlink: it is not in the root any more.
    symlinkSync(join(base, 'aside'), join(root, 'dir'))
    isRefused(t, await get())
  })

  await eachWay(t, 'replaced by what is no file', async (t, { path, get }) => {
    rmSync(path)
    execFileSync('/usr/bin/mkfifo', [path])
    isRefused(t, await get(), 'a fifo')
    rmSync(path)
    mkdirSync(path)
    isRefused(t, await get(), 'a directory')
  })

  await eachWay(t, 'that must not be read any more', async (t, { base, root, path, get }) => {
    chmodSync(base, 0o755)
    const asNobody = async (): Promise<Answer> => {
      const isRoot = process.getuid?.() === 0
      if (isRoot) process.seteuid?.(65_534)
      try {
        return await get()
      } finally {
        if (isRoot) process.seteuid?.(0)
      }
    }
    for (const [name, mode] of [
      [path, 0o644],
      [join(root, 'dir'), 0o755],
    ] as const) {
      chmodSync(name, 0)
      isRefused(t, await asNobody(), name)
      chmodSync(name, mode)
      t.same(await get(), { status: 200, body: 'public' })
    }
  })
})

t.test('a warm file with followSymlinks', async (t) => {
  if (process.platform !== 'linux') return
  const base = site(t, 'root/dir/')
  const path = join(base, 'root/dir/a.txt')
  writeFileSync(join(base, 'one'), 'first')
  writeFileSync(join(base, 'two'), 'second')
  symlinkSync(join(base, 'one'), path)
  const get = WAYS.static?.(base, true) as Get
  t.same(await get(), { status: 200, body: 'first' })
  t.equal(await looks(get), 0, 'it is warm')
  rmSync(path)
  t.equal((await get()).status, 404)
  symlinkSync(join(base, 'two'), path)
  t.same(await get(), { status: 200, body: 'second' })
  rmSync(path)
  mkdirSync(path)
  isRefused(t, await get())
})

t.test('a warm file that is deleted leads to the front controller', async (t) => {
  const base = site(t, 'index.php', 'a.txt')
  const options = { root: base, static: true, frontController: '/index.php' }
  const { gateway, upstream } = stubbed(options)
  for (let n = 0; n < 2; n++) await ask(gateway, '/a.txt')
  t.equal(upstream.seen.length, 0)
  rmSync(join(base, 'a.txt'))
  await ask(gateway, '/a.txt')
  t.equal(upstream.only.params.SCRIPT_NAME, '/index.php')
})

t.test('a warm file below a root that is switched to another release', async (t) => {
  if (process.platform !== 'linux') return
  const base = site(t, 'one/dir/', 'two/dir/')
  for (const name of ['one', 'two']) writeFileSync(join(base, name, 'dir/a.txt'), name)
  symlinkSync(join(base, 'one'), join(base, 'root'))
  for (const [way, make] of Object.entries(WAYS)) {
    const get = make(base, false)
    for (const name of ['two', 'one']) {
      await get()
      t.equal(await looks(get), 0, `${way}: it is warm`)
      symlinkSync(join(base, name), join(base, 'next'))
      renameSync(join(base, 'next'), join(base, 'root'))
      await untilBody(get, name)
    }
  }
})

/** The real path of a root is looked up again after a second. */
async function untilBody(get: Get, body: string): Promise<void> {
  while ((await get()).body !== body) await new Promise((resolve) => setTimeout(resolve, 20))
}
