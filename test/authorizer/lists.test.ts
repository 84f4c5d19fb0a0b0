/** Several guards: in order, and who has the last word. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { type GuardScript, guarded, NO, says } from '../helpers/guarded.ts'

// Express prints every failure once more, with all of its causes.
t.capture(console, 'error')

const yes = (name: string): GuardScript => ({
  does: says(`Status: 200\r\nVariable-${name}: 1\r\n\r\n`),
})
const no = (status: number): GuardScript => ({
  does: says(`Status: ${status}\r\n\r\n`, `${status}`),
})
const perhaps = (guard: GuardScript): GuardScript => ({ ...guard, authoritative: false })
const broken: GuardScript = { upstream: 'unix:/nowhere/s' }

/** Guards, the status, who was asked (`1` for yes), and the variables. */
const LISTS: Array<[what: string, GuardScript[], status: number, asked: string, said: string]> = [
  ['all say yes', [yes('A'), yes('B'), yes('C')], 200, '111', 'A,B,C'],
  ['the first no ends it', [yes('A'), no(402), yes('C')], 402, '110', ''],
  ['a yes without authority is enough', [perhaps(yes('A')), no(402)], 200, '10', 'A'],
  ['a no without authority is passed on', [perhaps(no(401)), yes('B')], 200, '11', 'B'],
  ['to the one behind it', [perhaps(no(401)), no(402)], 402, '11', ''],
  ['over several', [perhaps(no(401)), perhaps(yes('B')), no(402)], 200, '110', 'B'],
  ['over all', [perhaps(no(401)), perhaps(no(403)), no(402)], 402, '111', ''],
  ['what follows counts', [perhaps(yes('A')), no(402), no(410)], 410, '101', ''],
  ['and is asked', [perhaps(yes('A')), no(402), yes('C')], 200, '101', 'A,C'],
  ['a failure is no such no', [perhaps(broken), yes('B')], 503, '00', ''],
  ['nor behind one', [perhaps(no(401)), broken], 503, '10', ''],
  ['a path that is none of its own', [{ ...no(402), match: '/other/' }, yes('B')], 200, '01', 'B'],
  ['nor of anybody', [{ ...no(402), match: '/other/' }], 200, '0', '-'],
  [
    'the last word, whatever the path',
    [perhaps(no(401)), { ...no(402), match: '/other/' }],
    402,
    '11',
    '',
  ],
  [
    'where it is asked first',
    [
      { ...perhaps(no(401)), match: '/other/' },
      { ...no(402), match: '/other/' },
    ],
    200,
    '00',
    '-',
  ],
  ['failing open', [{ ...broken, failOpen: true }, yes('B')], 200, '01', 'B'],
  ['failing open before a no', [{ ...broken, failOpen: true }, no(402)], 402, '01', ''],
]

for (const [what, guards, status, expected, said] of LISTS)
  await eachAdapter(t, what, async (t, adapter) => {
    const { get, asked, through } = await guarded(t, adapter, guards)
    const answer = await get()
    t.equal(answer.status, status)
    if (status !== 200 && status !== 503) t.equal(answer.body, `${status}`)
    t.equal(asked.map((peer) => peer.requests.length).join(''), expected)
    t.equal(through.length, status === 200 ? 1 : 0)
    if (said !== '' && said !== '-')
      t.strictSame(Object.keys(through[0]?.variables ?? {}), said.split(','))
  })

const ALICE = `Authorization: Basic ${Buffer.from('alice:x').toString('base64')}`

await eachAdapter(t, 'two authenticators, the first without authority', async (t, adapter) => {
  const phase = 'authenticator'
  const first = { phase, does: NO, authoritative: false } as const
  const { get, asked, through } = await guarded(t, adapter, [first, { phase, realm: 'second' }])
  const challenged = await get()
  t.equal(challenged.status, 401)
  t.match(challenged.headers['www-authenticate'], 'realm="second"', 'of the one with the last word')
  t.equal((await get('/node', [ALICE])).status, 200)
  t.equal(asked[1]?.requests[0]?.params.REMOTE_PASSWD, 'x', 'both are given the password')
  t.strictSame(through[0]?.variables, { REMOTE_USER: 'alice', AUTH_TYPE: 'Basic' })
})
