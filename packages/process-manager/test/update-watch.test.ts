/** autoUpdate: when a file counts as changed. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { UpdateWatch } from './internals.ts'

const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'program')
const other = join(directory, 'other')

/** Checks once; whether there was a change. */
async function changed(watch: ReturnType<typeof UpdateWatch.of>, now: number): Promise<boolean> {
  let called = false
  await watch?.check(now, () => {
    called = true
  })
  return called
}

t.test('the time seen last decides, not the clock', async (t) => {
  writeFileSync(file, '')
  const future = Date.now() / 1000 + 86_400
  utimesSync(file, future, future)
  const watch = UpdateWatch.of(true, file)
  t.notOk(await changed(watch, 0), 'a time in the future is no change')
  t.notOk(await changed(watch, 1000))
  utimesSync(file, 1, 1)
  t.notOk(await changed(watch, 1999), 'once a second')
  t.ok(await changed(watch, 2000), 'an older time is one')
  t.notOk(await changed(watch, 3000), 'that counts once')
})

t.test('files that come and go', async (t) => {
  writeFileSync(file, '')
  const watch = UpdateWatch.of([file, other], '')
  t.notOk(await changed(watch, 0))
  writeFileSync(other, '')
  t.ok(await changed(watch, 1000), 'a new one')
  rmSync(other)
  t.notOk(await changed(watch, 2000), 'one that is missing may be about to be replaced')
  writeFileSync(other, 'changed')
  t.ok(await changed(watch, 3000))
})

t.equal(UpdateWatch.of(false, file), undefined)
t.equal(UpdateWatch.of(undefined, file), undefined)
