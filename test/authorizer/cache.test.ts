/** Decisions that are remembered: which, for how long, for whom. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { guarded } from '../helpers/guarded.ts'
import { eachRequest } from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

// Express prints every failure once more, with all of its causes.
t.capture(console, 'error')

/** Answers by QUERY_STRING; a number counts the answers. */
function counting() {
  let count = 0
  return eachRequest((request, connection) => {
    const number = `${++count}`
    const { QUERY_STRING = '', REMOTE_PASSWD } = request.params
    const heads: Record<string, string> = {
      yes: 'Status: 200',
      401: 'Status: 401 No\r\nConnection: close',
      403: 'Status: 403 No',
      402: 'Status: 402 Pay',
      302: 'Location: http://login.example/',
      cookie: 'Status: 403 No\r\nSet-Cookie: a=b',
      password: REMOTE_PASSWD === 'right' ? 'Status: 200' : 'Status: 401 No',
    }
    const head = heads[QUERY_STRING]
    if (head === undefined) connection.destroy()
    else
      connection.write(whole(`${head}\r\nVariable-N: ${number}\r\nX-N: ${number}\r\n\r\n`, number))
  })
}

const key = (request: unknown): string => (request as { url: string }).url

await eachAdapter(t, 'what is remembered, and what is not', async (t, adapter) => {
  const cache = { key, ttl: 60_000 }
  const { asked, send, through } = await guarded(t, adapter, [{ does: counting(), cache }])
  const hits = async (line: string): Promise<number> => {
    const before = asked[0]?.requests.length ?? 0
    const answers = [await send(line), await send(line), await send(line)]
    t.equal(new Set(answers.map(({ status }) => status)).size, 1, line)
    return 3 - ((asked[0]?.requests.length ?? 0) - before)
  }
  t.equal(await hits('GET /node?yes'), 2, 'a yes')
  t.strictSame(
    through.map(({ variables }) => variables),
    [{ N: '1' }, { N: '1' }, { N: '1' }],
    'with its variables',
  )
  t.equal(await hits('GET /node?401'), 2)
  t.equal(await hits('GET /node?403'), 2)
  t.equal(await hits('GET /node?402'), 0, 'other statuses')
  t.equal(await hits('GET /node?302'), 0)
  t.equal(await hits('GET /node?cookie'), 0, 'a cookie is for one client')
  t.equal(await hits('GET /node?broken'), 0, 'never a failure')
  t.equal(await hits('HEAD /other?403'), 0, 'HEAD is short of the body')
  t.equal(await hits('GET /other?403'), 2)
  t.equal(through.length, 3)
})

await eachAdapter(t, 'a no that is remembered is the same no', async (t, adapter) => {
  const cache = { key, ttl: 60_000 }
  const { get, send } = await guarded(t, adapter, [{ does: counting(), cache }])
  const first = await get('/node?403')
  const second = await get('/node?403')
  t.equal(second.body, first.body)
  t.equal(second.headers['x-n'], first.headers['x-n'])
  t.equal(second.status, 403)
  const head = await send('HEAD /node?403')
  t.match(head, { status: 403, body: '' })
  const upload = await send('POST /node?403', ['Content-Length: 5'], 'hello')
  t.equal(upload.status, 403)
})

await eachAdapter(t, 'another password is another question', async (t, adapter) => {
  const cache = { key: () => 'the same for all', ttl: 60_000 }
  const phase = 'authenticator'
  const { asked, get, through } = await guarded(t, adapter, [{ does: counting(), cache, phase }])
  const login = async (name: string, password: string): Promise<number> => {
    const credentials = Buffer.from(`${name}:${password}`).toString('base64')
    return (await get('/node?password', [`Authorization: Basic ${credentials}`])).status
  }
  t.equal(await login('alice', 'right'), 200)
  t.equal(await login('alice', 'wrong'), 401)
  t.equal(await login('mallory', 'right'), 200)
  t.equal(asked[0]?.requests.length, 3)
  t.equal(await login('alice', 'right'), 200)
  t.equal(await login('alice', 'wrong'), 401)
  t.equal(asked[0]?.requests.length, 3)
  t.strictSame(
    through.map(({ variables }) => variables?.REMOTE_USER),
    ['alice', 'mallory', 'alice'],
  )
  t.equal((await get('/node?password')).status, 401, 'without one there is nothing to remember')
})

await eachAdapter(t, 'ttl and max', async (t, adapter) => {
  const short = await guarded(t, adapter, [{ does: counting(), cache: { key, ttl: 30 } }])
  await short.get('/node?yes')
  let asked = 1
  await until('the decision to be forgotten', () => {
    void short.get('/node?yes').then(() => {
      asked = short.asked[0]?.requests.length ?? 0
    })
    return asked > 1
  })
  const small = await guarded(t, adapter, [{ does: counting(), cache: { key, max: 1 } }])
  for (const path of ['/node?yes', '/a?yes', '/node?yes']) await small.get(path)
  t.equal(small.asked[0]?.requests.length, 3)
  await small.get('/node?yes')
  t.equal(small.asked[0]?.requests.length, 3)
})

await eachAdapter(t, 'keys', async (t, adapter) => {
  for (const bad of [() => 5, async () => 'x', () => null]) {
    const cache = { key: bad as unknown as () => string }
    const { get, through, app } = await guarded(t, adapter, [{ does: counting(), cache }])
    t.equal((await get('/node?yes')).status, 500)
    t.match(app.log.join(), /key must return text/)
    t.equal(through.length, 0)
  }
  const thrown = {
    key: () => {
      throw new Error('no key')
    },
  }
  const { get, through } = await guarded(t, adapter, [{ cache: thrown, failOpen: true }])
  t.equal((await get('/node?yes')).status, 500, 'which is no failure of the authorizer')
  t.equal(through.length, 0)
  const none = await guarded(t, adapter, [{ does: counting(), cache: { key: () => undefined } }])
  await none.get('/node?yes')
  await none.get('/node?yes')
  t.equal(none.asked[0]?.requests.length, 2, 'undefined asks the application')
})
