/** The actions of the status page, and who may not take them. */
import { Balancer, type Dispatcher } from '@fastcgi/client'
import t from 'tap'
import {
  type Answer,
  ask,
  eachFace,
  nonceOf,
  shop,
  startFace,
  stub,
  submit,
} from '../helpers/status-faces.ts'
import { until } from '../helpers/wait.ts'

eachFace('it is for reading only unless told otherwise', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer })
  t.notMatch((await face.ask()).body, /method="post"|<button/)
  const answer = await submit(face, { member: 'a', action: 'drain' })
  t.equal(answer.status, 405)
  t.equal(answer.headers.allow, 'GET, HEAD')
  t.match(answer.body, 'option actions')
  t.equal(balancer.members[0]?.status, 'enabled')
  t.equal((await face.ask({ method: 'DELETE' })).status, 405)
})

eachFace('each action', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions: () => true })
  const first = balancer.members[0]
  for (const [action, status] of [
    ['drain', 'draining'],
    ['disable', 'disabled'],
    ['stop', 'stopped'],
    ['enable', 'enabled'],
  ] as const) {
    const answer = await submit(face, { member: 'a', action })
    t.equal(answer.status, 303, action)
    t.equal(answer.headers.location, face.path)
    t.equal(first?.status, status)
  }
  t.equal((await submit(face, { member: 'a', action: 'weight', weight: '0.5' })).status, 303)
  t.equal(first?.weight, 0.5)
  const added = {
    action: 'add',
    address: 'fcgi://127.0.0.1:9',
    name: ' c ',
    route: '',
    weight: '3',
  }
  t.equal((await submit(face, added)).status, 303)
  t.match(balancer.members[2], { name: 'c', weight: 3, route: undefined })
  const plain = { action: 'add', address: '127.0.0.1:10', name: '', weight: '' }
  t.equal((await submit(face, plain)).status, 303)
  t.match(balancer.members[3], { name: '127.0.0.1:10', weight: 1 })
  t.equal((await submit(face, { member: 'c', action: 'remove' })).status, 303)
  t.strictSame(
    balancer.members.map((member) => member.name),
    ['a', 'b', '127.0.0.1:10'],
  )
})

eachFace('who may not change anything', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions: () => true })
  const drain = { member: 'a', action: 'drain' }
  const refused = async (status: number, what: string, answer: Promise<Answer>): Promise<void> => {
    t.equal((await answer).status, status, what)
    t.equal(balancer.members[0]?.status, 'enabled', what)
  }
  const other = await startFace(t, name, { shop: balancer }, { actions: () => true })
  const foreign = nonceOf(await other.ask())
  t.ok(foreign.length > 20)
  await refused(403, 'no nonce', submit(face, { ...drain, nonce: '' }))
  await refused(403, 'wrong nonce', submit(face, { ...drain, nonce: foreign }))
  await refused(403, 'another site', submit(face, drain, { origin: 'https://evil.example' }))
  await refused(403, 'no origin', submit(face, drain, { origin: 'null' }))
  await refused(403, 'neither field', submit(face, drain, { origin: undefined }))
  const referer = 'https://evil.example/x'
  await refused(403, 'a referer', submit(face, drain, { origin: undefined, referer }))
  await refused(403, 'no URL', submit(face, drain, { origin: undefined, referer: 'x' }))
  const own = `${face.origin}${face.path}`
  const origin = 'https://evil.example'
  await refused(403, 'Origin goes first', submit(face, drain, { origin, referer: own }))
  const [scheme] = face.origin.split(':', 1)
  const swapped = face.origin.replace(/^https?/, scheme === 'http' ? 'https' : 'http')
  await refused(403, 'another scheme', submit(face, drain, { origin: swapped }))
  for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x'])
    await refused(415, type, submit(face, drain, { 'content-type': type }))
  await refused(413, 'long', submit(face, { ...drain, more: 'x'.repeat(8192) }))
  t.equal((await submit(face, drain, { origin: undefined, referer: own })).status, 303)
  t.equal(balancer.members[0]?.status, 'draining', 'the page itself by Referer')
})

eachFace('bad values', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer, pool: stub() }, { actions: () => true })
  const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ member: 'a', action: 'weight', weight: '101' }, /option weight must be a number over 0/],
    [{ member: 'a', action: 'weight', weight: '0' }, /option weight/],
    [{ member: 'a', action: 'weight', weight: 'many' }, /got &quot;many&quot;/],
    [{ member: 'a', action: 'weight' }, /option weight/],
    [{ member: 'x', action: 'drain' }, /has no member x/],
    [{ member: 'x', action: 'remove' }, /has no member x/],
    [{ action: 'drain' }, /has no member/],
    [{ member: 'a', action: '' }, /There is no action/],
    [{ member: 'a', action: 'toString' }, /There is no action/],
    [{ balancer: 'x', member: 'a', action: 'drain' }, /There is no balancer x/],
    [{ balancer: 'pool', member: 'a', action: 'drain' }, /There is no balancer pool/],
    [{ balancer: '__proto__', member: 'a', action: 'drain' }, /There is no balancer/],
    [{ action: 'add' }, /address/],
    [{ action: 'add', address: 'http://[' }, /address/],
    [{ action: 'add', address: 'fcgi://127.0.0.1:9', name: 'a' }, /has a member a already/],
    [{ action: 'add', address: 'fcgi://127.0.0.1:9', weight: '-1' }, /option weight/],
  ]
  for (const [fields, message] of cases) {
    const answer = await submit(face, fields)
    t.equal(answer.status, 400, JSON.stringify(fields))
    t.match(answer.body, message)
    t.match(answer.body, 'role="alert"')
    t.match(answer.body, '<body data-refresh="0">', 'the message stays')
  }
  t.equal(balancer.members.length, 2)
  const asked = await submit(face, { action: 'x' }, { accept: 'application/json' })
  t.match(JSON.parse(asked.body), { error: 'There is no action x' })
  t.match((await submit(face, { action: 'x' }, { accept: 'text/plain' })).body, /^There is no/)
})

t.test('a member that is removed may end what runs on it', async (t) => {
  let end = (): void => {}
  const slow: Dispatcher = {
    ...stub(),
    dispatch(_request, handler) {
      end = () => {
        handler.onHead(200, [], '', true)
        handler.onEnd(0)
      }
      return { resume() {}, abort() {} }
    },
  }
  const balancer = new Balancer({ name: 'shop', members: [{ address: slow, name: 'slow' }] })
  t.teardown(() => balancer.close())
  const face = await startFace(t, 'fastify', { shop: balancer }, { actions: () => true })
  const done = ask(balancer)
  await until('it runs', () => balancer.members[0]?.counters.load === 1)
  t.equal((await submit(face, { member: 'slow', action: 'remove' })).status, 303)
  t.match((await face.ask()).body, 'It has no members')
  end()
  await done
})
