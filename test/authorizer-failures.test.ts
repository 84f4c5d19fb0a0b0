/** A guard that cannot be asked denies: 503, and nothing behind it ever runs. */
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter } from './helpers/adapters.ts'
import { type GuardScript, guarded, NO, says, YES } from './helpers/guarded.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  record,
  type Script,
  stdoutRecords,
} from './helpers/scripted-peer.ts'

/** Answers every request with these bytes, and closes where that is asked for. */
function bytes(part: Uint8Array, close = false): Script {
  return eachRequest((_request, connection: PeerConnection) => {
    connection.write(part)
    if (close) connection.finish()
  })
}

const YES_HEAD = 'Status: 200 OK\r\nVariable-A: 1\r\n\r\n'
const out = (head: string, ...more: Buffer[]) => Buffer.concat([stdoutRecords(head), ...more])

/** Guards that fail before they have said anything that could be understood. */
const FAILURES: Record<string, GuardScript> = {
  down: { upstream: 'unix:/nowhere/s' },
  'an unknown host': { upstream: 'fcgi://host.invalid:9000' },
  'too slow': { does: () => {}, timeouts: { head: 60 } },
  'too slow to end': { does: bytes(out(YES_HEAD)), timeouts: { idle: 60 } },
  'closed at once': { does: bytes(Buffer.alloc(0), true) },
  garbage: { does: bytes(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')) },
  'no head': { does: bytes(out('200 OK\n\n', endRecord())) },
  'half a head': { does: bytes(out('Status: 200 OK\r\nVariable-'), true) },
  'half a head, then the end': { does: bytes(out('Status: 200 OK\r\n', endRecord())) },
  'no output at all': { does: bytes(endRecord()) },
  'a head that allows, then nothing': { does: bytes(out(YES_HEAD), true) },
  'a head that allows, STDOUT ended, then nothing': {
    does: bytes(out(YES_HEAD, record(6)), true),
  },
  'a head that allows and a part of a body': { does: bytes(out(`${YES_HEAD}some`), true) },
  'a body without an end': {
    does: eachRequest((_request, connection) => {
      const chunk = stdoutRecords(Buffer.alloc(65_000))
      const go = (): void => {
        while (!connection.isClosed && connection.write(chunk));
      }
      connection.socket.on('drain', go)
      connection.write(stdoutRecords(YES_HEAD))
      go()
    }),
  },
  'a wrong version': { does: bytes(out(YES_HEAD, record(6, 'x', { version: 2 }))) },
  'a wrong id': { does: bytes(out(YES_HEAD, record(6, 'x', { id: 9 }))) },
  OVERLOADED: { does: bytes(endRecord(0, 2)) },
  'a head that allows, OVERLOADED': { does: bytes(out(YES_HEAD, endRecord(0, 2))) },
  CANT_MPX_CONN: { does: bytes(endRecord(0, 1)) },
  UNKNOWN_ROLE: { does: bytes(endRecord(0, 3)) },
  'a head that allows, UNKNOWN_ROLE': { does: bytes(out(YES_HEAD, endRecord(0, 3))) },
  'a control character in a variable': {
    does: says('Status: 200\r\nVariable-A: a\x01b\r\n\r\n'),
  },
  'a Status that is none': { does: says('Status: yes\r\n\r\n') },
  'status 101': { does: says('Status: 101\r\n\r\n') },
}

/** Guards that have said no, and then break off. */
const REFUSALS: Record<string, GuardScript> = {
  'a no without an end': { does: bytes(out('Status: 403 Forbidden\r\n\r\n'), true) },
  'a no shorter than it says': {
    does: says('Status: 403 Forbidden\r\nContent-Length: 10\r\n\r\n', 'short'),
  },
  'a no of an impossible status': { does: says('Status: 999 What\r\n\r\n') },
  'a no in chunks': { does: says('Status: 403 No\r\nTransfer-Encoding: chunked\r\n\r\n') },
  'a no, then OVERLOADED': { does: bytes(out('Status: 403 No\r\n\r\n', endRecord(0, 2))) },
}

const MODES: Record<string, GuardScript> = {
  'as it is': {},
  'compat: false': { compat: false },
}

async function denies(t: Test, adapter: AdapterName, guards: GuardScript[]): Promise<void> {
  const { get, app, through, behind } = await guarded(t, adapter, guards)
  for (const target of ['/node', '/x.php']) {
    const answer = await get(target)
    t.equal(answer.status, 503, target)
    t.notMatch(answer.text, /unix:|tmp|host\.invalid/, 'clients are not told where it is')
  }
  t.equal(through.length + behind.requests.length, 0, 'the route behind never runs')
  t.ok(
    app.log.some((line) => /^GET denied.*(failOpen|broke off)/.test(line)),
    'the log says why',
    { log: app.log },
  )
}

for (const [what, guard] of Object.entries(FAILURES))
  await eachAdapter(t, what, async (t, adapter) => {
    for (const mode of Object.values(MODES)) await denies(t, adapter, [{ ...guard, ...mode }])
    await denies(t, adapter, [{ ...guard, authoritative: false }, { does: YES }])
  })

await eachAdapter(t, 'failOpen lets through where there was no answer', async (t, adapter) => {
  for (const [what, guard] of Object.entries(FAILURES)) {
    const { get, app, through } = await guarded(t, adapter, [{ ...guard, failOpen: true }])
    t.equal((await get()).status, 200, what)
    t.equal(through.length, 1, what)
    t.notOk(through[0]?.variables?.A, 'nothing of a half answer counts')
    t.ok(
      app.log.some((line) => line.includes('let through (option failOpen)')),
      'which is logged',
      { log: app.log },
    )
  }
})

await eachAdapter(t, 'a no stays one, whatever becomes of it', async (t, adapter) => {
  for (const [what, guard] of Object.entries({ ...REFUSALS, 'a whole no': { does: NO } }))
    for (const mode of Object.values(MODES))
      for (const failOpen of [false, true]) {
        const { get, through } = await guarded(t, adapter, [{ ...guard, ...mode, failOpen }])
        const { status } = await get()
        t.ok([403, 503].includes(status), `${what}: ${status}`)
        t.equal(through.length, 0, 'the route behind never runs')
      }
})

await eachAdapter(t, 'a no that breaks off is not passed on', async (t, adapter) => {
  for (const what of ['a no without an end', 'a no, then OVERLOADED'])
    for (const failOpen of [false, true]) {
      const first = { ...REFUSALS[what], authoritative: false, failOpen }
      const { get, asked, through } = await guarded(t, adapter, [first, { does: YES }])
      t.equal((await get()).status, 503, what)
      t.equal(asked[1]?.requests.length, 0)
      t.equal(through.length, 0)
    }
})

await eachAdapter(t, 'a malformed request is none to ask about', async (t, adapter) => {
  const { get, asked, through } = await guarded(t, adapter, [{ failOpen: true }])
  for (const target of ['/node%00', '/%zz', '/../node', '/node\\x'])
    t.equal((await get(target)).status, 400, target)
  const { status } = await get('/node', [`X-Long: ${'x'.repeat(8000)}`])
  t.equal(status, 200)
  t.equal(asked[0]?.requests.length, 1)
  t.equal(through.length, 1)
})
