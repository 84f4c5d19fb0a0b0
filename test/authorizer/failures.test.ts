/** A guard that cannot be asked denies: 503, and nothing behind it ever runs. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { type GuardScript, guarded, NO, says, YES } from '../helpers/guarded.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  record,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'

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

/** Ways to ask the same authorizer; each of them fails closed. */
const MODES: Record<string, (guard: GuardScript, match: string) => GuardScript[]> = {
  'as it is': (guard, match) => [{ ...guard, match }],
  'compat: false': (guard, match) => [{ ...guard, match, compat: false }],
  'no authority': (guard, match) => [{ ...guard, match, authoritative: false }, { match }],
}

/** One guard for each failure, which is asked for paths below its number. */
function guardsOf(mode: keyof typeof MODES, options: GuardScript = {}): GuardScript[] {
  return Object.values(FAILURES).flatMap(
    (guard, at) => MODES[mode]?.({ ...guard, ...options }, `/${at}/`) ?? [],
  )
}

// Express prints every failure once more, with all of its causes.
t.capture(console, 'error')

for (const mode of Object.keys(MODES))
  await eachAdapter(t, `a failure denies, ${mode}`, async (t, adapter) => {
    const { get, app, behind } = await guarded(t, adapter, guardsOf(mode))
    for (const [at, what] of Object.keys(FAILURES).entries()) {
      app.log.length = 0
      const answer = await get(`/${at}/x.php`)
      t.equal(answer.status, 503, what)
      t.equal(answer.headers['retry-after'], '1')
      t.notMatch(answer.text, /unix:|tmp|host\.invalid/, 'clients are not told where it is')
      t.match(app.log.join('\n'), /^denied.*failOpen/m, 'the log says why')
    }
    t.equal(behind.requests.length, 0, 'the route behind never runs')
    t.equal((await get('/x.php')).status, 200, 'as it does where no guard is asked')
    t.equal(behind.requests.length, 1)
  })

await eachAdapter(t, 'a failure denies before a Node handler', async (t, adapter) => {
  for (const what of ['down', 'half a head', 'a head that allows, then nothing']) {
    const { get, through } = await guarded(t, adapter, [FAILURES[what] ?? {}])
    t.equal((await get()).status, 503, what)
    t.equal(through.length, 0, 'which never runs')
  }
})

await eachAdapter(t, 'failOpen lets through where there was no answer', async (t, adapter) => {
  const guards = guardsOf('as it is', { failOpen: true })
  const { get, app, behind } = await guarded(t, adapter, guards)
  for (const [at, what] of Object.keys(FAILURES).entries()) {
    app.log.length = 0
    t.equal((await get(`/${at}/x.php`)).status, 200, what)
    t.equal(behind.requests.length, at + 1, what)
    t.notOk('A' in (behind.requests[at]?.params ?? {}), 'nothing of a half answer counts')
    t.match(app.log.join('\n'), 'let through (option failOpen)', 'which is logged')
  }
})

await eachAdapter(t, 'a no stays one, whatever becomes of it', async (t, adapter) => {
  const all = Object.entries({ ...REFUSALS, 'a whole no': { does: NO } })
  const guards = [false, true].flatMap((failOpen) =>
    [false, true].flatMap((compat) =>
      all.map(([, guard], at) => ({
        ...guard,
        compat,
        failOpen,
        match: `/${failOpen}${compat}${at}/`,
      })),
    ),
  )
  const { get, behind } = await guarded(t, adapter, guards)
  for (const { match } of guards) {
    const { status } = await get(`${match}x.php`)
    t.ok([403, 503].includes(status), `${match}: ${status}`)
  }
  t.equal(behind.requests.length, 0, 'the route behind never runs')
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
