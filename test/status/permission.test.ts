/** Who may change members: nobody, unless the option `actions` says so of a request. */
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiStatus as expressStatus,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiStatus } from '@fastcgi/fastify'
import { createStatus } from '@fastcgi/gateway'
import express from 'express'
import Fastify, { type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { whole } from '../helpers/behind.ts'
import { eachRequest, startPeer } from '../helpers/scripted-peer.ts'
import {
  type Answer,
  asker,
  eachFace,
  expressFace,
  type Face,
  FORM,
  nonceOf,
  shop,
  startFace,
} from '../helpers/status-faces.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

/** Any framework's request. */
interface Source {
  headers: Record<string, unknown>
}
const isOperator = (source: unknown): boolean => (source as Source).headers['x-user'] === 'operator'

function drain(face: Face, nonce: string, headers: Record<string, string> = {}): Promise<Answer> {
  const body = new URLSearchParams({ nonce, balancer: 'shop', member: 'a', action: 'drain' })
  const all = { 'content-type': FORM, origin: face.origin, ...headers }
  return within('an answer', face.ask({ method: 'POST', headers: all, body: body.toString() }))
}

const OPERATOR = { 'x-user': 'operator' }

eachFace('each request may or may not', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions: isOperator })
  const [first] = balancer.members
  const reader = await face.ask()
  t.equal(reader.status, 200)
  t.notMatch(reader.body, /method="post"|<button|nonce" value/, 'readers get no forms and no token')
  const nonce = nonceOf(await face.ask({ headers: OPERATOR }))
  t.ok(nonce.length > 20)
  const refused = await drain(face, nonce)
  t.equal(refused.status, 403, 'a reader who knows the token')
  t.match(refused.body, 'may not change anything')
  t.notMatch(refused.body, nonce)
  t.equal(first?.status, 'enabled')
  t.equal((await drain(face, nonce, OPERATOR)).status, 303)
  t.equal(first?.status, 'draining')
})

eachFace('without the option nobody may', async (t, name) => {
  for (const options of [{}, { actions: undefined }, { actions: false as const }]) {
    const balancer = shop(t)
    const face = await startFace(t, name, { shop: balancer }, options)
    t.equal(nonceOf(await face.ask({ headers: OPERATOR })), '')
    const answer = await drain(face, '', OPERATOR)
    t.equal(answer.status, 405)
    t.equal(answer.headers.allow, 'GET, HEAD')
    t.equal(balancer.members[0]?.status, 'enabled')
  }
})

const UNSURE: Record<string, () => unknown> = {
  undefined: () => undefined,
  'an object': () => ({ admin: false }),
  'a text': () => 'no',
  'a number': () => 1,
}

eachFace('only true allows', async (t, name) => {
  for (const [what, actions] of Object.entries(UNSURE)) {
    const balancer = shop(t)
    const options = { actions: actions as () => boolean }
    const face = await startFace(t, name, { shop: balancer }, options)
    t.equal(nonceOf(await face.ask()), '', what)
    t.equal((await drain(face, '')).status, 403, what)
    t.equal(balancer.members[0]?.status, 'enabled', what)
  }
})

const BROKEN: Record<string, () => unknown> = {
  'a promise': async () => true,
  'an error': () => {
    throw new Error('no database')
  },
}

eachFace('a function that fails allows nothing', async (t, name) => {
  for (const [what, actions] of Object.entries(BROKEN)) {
    const balancer = shop(t)
    const options = { actions: actions as () => boolean }
    const face = await startFace(t, name, { shop: balancer }, options)
    if (name === 'alone') await t.rejects(drain(face, ''), what)
    else t.equal((await drain(face, '')).status, 500, what)
    t.equal(balancer.members[0]?.status, 'enabled', what)
  }
})

t.test('true is no answer to who may', async (t) => {
  const options = { dispatchers: {}, actions: true as never }
  const message = /option actions must be false, or a function that returns true for requests/
  t.throws(() => createStatus(options), message)
  t.throws(() => expressStatus(options), message)
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(fastcgiStatus, options), message)
})

/** An authorizer that lets everybody in who has a name, and calls the operator by it. */
const names = eachRequest(({ params }, connection) => {
  const { HTTP_X_KEY: key } = params
  if (key === undefined) connection.write(whole('Status: 401\r\n\r\n', 'who?'))
  else connection.write(whole(`Status: 200\r\nVariable-ROLE: ${key}\r\n\r\n`))
})

const KEYED: Record<
  string,
  (t: Test, upstream: string) => Promise<[Face, ReturnType<typeof shop>]>
> = {
  async fastify(t, upstream) {
    const balancer = shop(t)
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(async (ops) => {
      await ops.register(fastcgiAuthorizer, { upstream, root: '/srv' })
      await ops.register(fastcgiStatus, {
        prefix: '/ops',
        dispatchers: { shop: balancer },
        actions: (request: FastifyRequest) => request.fastcgi.variables.ROLE === 'operator',
      })
    })
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    return [{ ask: asker(origin, '/ops'), origin, path: '/ops' }, balancer]
  },
  async express(t, upstream) {
    const balancer = shop(t)
    const app = express().set('env', 'production')
    const guard = expressAuthorizer({ upstream, root: '/srv' })
    t.teardown(() => guard.close())
    app.use('/ops', guard)
    app.use(
      '/ops',
      expressStatus({
        dispatchers: { shop: balancer },
        actions: (req) => req.fastcgi.variables.ROLE === 'operator',
      }),
    )
    return [await expressFace(t, app, '/ops'), balancer]
  },
}

for (const [name, start] of Object.entries(KEYED))
  t.test(`behind fastcgiAuthorizer (${name})`, async (t) => {
    const peer = await startPeer(names)
    t.teardown(() => peer.close())
    const [face, balancer] = await start(t, peer.address)
    t.equal((await within('an answer', face.ask())).status, 401, 'strangers see nothing')
    t.equal((await drain(face, '')).status, 401)
    const reader = { 'x-key': 'reader' }
    const operator = { 'x-key': 'operator' }
    t.equal(nonceOf(await face.ask({ headers: reader })), '', 'readers read')
    const nonce = nonceOf(await face.ask({ headers: operator }))
    t.equal((await drain(face, nonce)).status, 401)
    t.equal((await drain(face, nonce, { ...reader, role: 'operator' })).status, 403)
    t.equal(balancer.members[0]?.status, 'enabled')
    t.equal((await drain(face, nonce, operator)).status, 303)
    t.equal(balancer.members[0]?.status, 'draining')
  })
