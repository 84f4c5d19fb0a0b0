/** Locks of files. */
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FileLocks, LockFiles } from './internals.ts'

const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
const tables = join(directory, 'tables')
const file = join(directory, 'file')
writeFileSync(file, '')
const descriptors = [openSync(file, 'r+'), openSync(file, 'r+')] as const
t.teardown(() => {
  for (const fd of descriptors) closeSync(fd)
  rmSync(directory, { recursive: true })
})

const [mine, other] = descriptors
const all = { start: 0, end: Number.MAX_SAFE_INTEGER }
const instances = (...owners: string[]) =>
  owners.map((owner) => new FileLocks(owner, new LockFiles(tables)))

t.test('flock(): shared locks tolerate each other, an exclusive one nobody', async (t) => {
  const [a, b] = instances(`${process.pid}-1`, `${process.pid}-2`) as [FileLocksOf, FileLocksOf]
  const flock = (type: 'shared' | 'exclusive' | 'unlocked') =>
    ({ kind: 'flock', type, ...all }) as const
  t.ok(a.set(mine, flock('shared'), false))
  t.ok(b.set(other, flock('shared'), false))
  t.notOk(b.set(other, flock('exclusive'), false))
  t.ok(a.set(mine, flock('unlocked'), false))
  t.ok(b.set(other, flock('exclusive'), false), 'its own shared one is no obstacle')
  t.notOk(a.set(mine, flock('shared'), false))
  b.close({ nfd: other, position: 0 })
  t.ok(a.set(mine, flock('exclusive'), false), 'a closed file is not locked')
  a.close({ nfd: mine, position: 0 })
  t.notOk(existsSync(tables), 'nothing is left')
})

t.test('fcntl(): ranges', async (t) => {
  const [a, b] = instances(`${process.pid}-1`, `${process.pid}-2`) as [FileLocksOf, FileLocksOf]
  const range = (type: 'shared' | 'exclusive' | 'unlocked', start: number, end: number) =>
    ({ kind: 'fcntl', type, start, end }) as const
  t.ok(a.set(mine, range('exclusive', 10, 20), false))
  t.ok(b.set(other, range('exclusive', 20, 30), false))
  t.notOk(b.set(other, range('shared', 19, 20), false))
  t.match(b.find(other, range('shared', 0, 15)), { start: 10, end: 20, exclusive: true })
  t.ok(a.set(mine, range('unlocked', 12, 14), false), 'a hole')
  t.ok(b.set(other, range('exclusive', 12, 14), false))
  t.notOk(b.set(other, range('exclusive', 11, 12), false))
  t.notOk(b.set(other, range('exclusive', 14, 15), false))
  a.close({ nfd: mine, position: 0 })
  b.close({ nfd: other, position: 0 })
  t.notOk(existsSync(tables), 'nothing is left')
})

t.test('locks of processes and instances that have ended', async (t) => {
  // No process has this id.
  const [dead, a] = instances('4194305-1', `${process.pid}-2`) as [FileLocksOf, FileLocksOf]
  const lock = { kind: 'flock', type: 'exclusive', ...all } as const
  t.ok(dead.set(mine, lock, false))
  t.ok(a.set(other, lock, false))
  new LockFiles(tables).release(`${process.pid}-2`)
  const [b] = instances(`${process.pid}-3`) as [FileLocksOf]
  t.ok(b.set(mine, lock, false))
  b.close({ nfd: mine, position: 0 })
  t.notOk(existsSync(tables), 'nothing is left')
})

type FileLocksOf = InstanceType<typeof FileLocks>
