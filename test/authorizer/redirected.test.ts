/** Guards and `deny` where an application leads a request on: by a local redirect, by X-Accel-Redirect, from `reply.fastcgi()`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { NO, YES } from '../helpers/guarded.ts'
import { rawGet } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

/** A tree, and an application whose scripts lead to what the query says: `?local=/path`, `?accel=/path`. */
async function site(t: Test): Promise<{ root: string; application: Peer; no: Peer; yes: Peer }> {
  const root = mkdtempSync(join(tmpdir(), 'redirected-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  for (const name of ['admin', 'open']) mkdirSync(join(root, name))
  const files = [
    'index.php',
    'a.php',
    'admin/index.php',
    'admin/tool.php',
    'open/x.php',
    'openly.php',
  ]
  for (const name of [...files, 'admin/data.txt', 'open/data.txt'])
    writeFileSync(join(root, name), `contents of ${name}`)
  const application = await startPeer(
    eachRequest((request, connection) => {
      const { SCRIPT_NAME, QUERY_STRING = '' } = request.params
      const [kind, to] = QUERY_STRING.split('=')
      const head =
        kind === 'local'
          ? `Location: ${to}\r\n\r\n`
          : `Content-Type: text/plain\r\n${kind === 'accel' ? `X-Accel-Redirect: ${to}\r\n` : ''}\r\n`
      connection.write(stdoutRecords(`${head}ran ${SCRIPT_NAME}`), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  const [no, yes] = [await startPeer(NO), await startPeer(YES)]
  t.teardown(() => Promise.all([application.close(), no.close(), yes.close()]))
  return { root, application, no, yes }
}

/** What these requests are answered with. */
async function answers(
  t: Test,
  port: number,
  table: Record<string, number | string>,
): Promise<void> {
  for (const [target, wanted] of Object.entries(table)) {
    const { status, text } = await rawGet(port, target)
    if (typeof wanted === 'number') t.equal(status, wanted, target)
    else t.match(text, wanted, target)
    if (status !== 200) t.notMatch(text, /ran|contents of/, target)
  }
}

await eachAdapter(t, 'deny', async (t, name) => {
  const { root, application } = await site(t)
  const { port } = await startAdapter(t, name, {
    ...{ upstream: application.address, root },
    deny: ['/admin/', '/files/admin/', '/inner/admin/', '/inner/a.php'],
    accel: { '/inner/': { root }, '/files/': root },
  })
  await answers(t, port, {
    '/a.php?local=/admin/tool.php': 403,
    '/a.php?local=/admin/': 403,
    '/a.php?local=/x/../%61dmin/': 403,
    '/a.php?local=/open/x.php': 'ran /open/x.php',
    '/a.php?accel=/files/admin/data.txt': 403,
    '/a.php?accel=/files/ADMIN/data.txt': 403,
    '/a.php?accel=/files/open/data.txt': 'contents of open/data.txt',
    '/a.php?accel=/inner/admin/tool.php': 403,
    '/a.php?accel=/inner/a.php': 403,
  })
})

await eachAdapter(t, 'guards of the proxy', async (t, name) => {
  const { root, application, no, yes } = await site(t)
  const { port } = await startAdapter(t, name, {
    ...{ upstream: application.address, root },
    accel: { '/files/': root },
    proxyGuards: [
      { authorizer: { upstream: yes.address } },
      {
        match: ['/admin/', '/files/admin/', '/open/data.txt'],
        authorizer: { upstream: no.address },
      },
    ],
  })
  await answers(t, port, {
    '/a.php?local=/admin/tool.php': 403,
    '/a.php?local=/open/x.php': 'ran /open/x.php',
    '/a.php?accel=/files/admin/data.txt': 403,
    '/a.php?accel=/files/admin/none.txt': 403,
    '/a.php?accel=/files/open/data.txt': 'contents of open/data.txt',
  })
})

await eachAdapter(t, 'guards before the proxy', async (t, name) => {
  const { root, application, no } = await site(t)
  const { port } = await startAdapter(t, name, {
    ...{ upstream: application.address, root },
    accel: { '/files/': root },
    guards: [{ upstream: no.address, match: ['/admin/', '/files/admin/'] }],
  })
  await answers(t, port, {
    '/admin/tool.php': 403,
    '/a.php?local=/admin/tool.php': 403,
    '/a.php?local=/admin/': 403,
    '/a.php?local=/open/x.php': 'ran /open/x.php',
    '/a.php?accel=/files/admin/data.txt': 403,
    '/a.php?accel=/files/open/data.txt': 'contents of open/data.txt',
  })
})

await eachAdapter(t, 'an authenticator is asked again with the same password', async (t, name) => {
  const { root, application, yes } = await site(t)
  const guard = { upstream: yes.address, phase: 'authenticator' } as const
  const behind = { upstream: application.address, root }
  for (const options of [{ guards: [guard] }, { proxyGuards: [{ authorizer: guard }] }]) {
    const { port } = await startAdapter(t, name, { ...behind, ...options })
    const asked = yes.requests.length
    const fields = ['Authorization: Basic dTpw']
    const { text } = await rawGet(port, '/a.php?local=/open/x.php', fields)
    t.match(text, 'ran /open/x.php')
    const told = yes.requests.slice(asked).map(({ params }) => params.REMOTE_PASSWD)
    t.strictSame(told, ['p', 'p'])
    t.equal((await rawGet(port, '/a.php')).status, 401)
  }
  t.notMatch(JSON.stringify(application.requests.map(({ params }) => params)), /PASSWD|dTpw/)
})

t.test('a guard that has let one mount through is asked about another', async (t) => {
  const { root, application, no } = await site(t)
  const guard = expressAuthorizer({
    upstream: no.address,
    match: ['/tool.php', '/index.php', '/y.php'],
  })
  const proxy = expressProxy({ upstream: application.address, root })
  const app = express().set('env', 'test')
  app.use('/open', guard).use('/admin', guard).use(proxy)
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    await new Promise((resolve) => server.close(resolve))
    await Promise.all([guard.close(), proxy.close()])
  })
  await answers(t, (server.address() as AddressInfo).port, {
    '/open/x.php': 'ran /open/x.php',
    '/admin/tool.php': 403,
    '/admin/': 403,
    '/open/x.php?local=/admin/tool.php': 403,
    '/open/x.php?local=/admin/': 403,
    '/open/x.php?local=/openly.php': 'ran /openly.php',
  })
})

t.test('a script that a route names may not lead on to what is denied', async (t) => {
  const { root, application, no } = await site(t)
  const app = Fastify()
  app.register(fastcgiProxy, {
    ...{ upstream: application.address, root, logger: false },
    deny: ['/admin/index.php'],
    guards: [{ match: '/admin/tool.php', authorizer: { upstream: no.address } }],
    prefix: '/site',
  })
  app.get('/named', (_request, reply) => reply.fastcgi('/admin/tool.php'))
  app.get('/local', (_request, reply) => reply.fastcgi('/a.php?local=/admin/'))
  app.get('/guarded', (_request, reply) => reply.fastcgi('/a.php?local=/admin/tool.php/info'))
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  await answers(t, (app.server.address() as AddressInfo).port, {
    '/named': 'ran /admin/tool.php',
    '/local': 403,
    '/guarded': 403,
  })
})

await eachAdapter(t, 'deny and the front controller', async (t, name) => {
  const { root, application } = await site(t)
  const start = async (deny: string[]): Promise<number> => {
    const { port } = await startAdapter(t, name, {
      ...{ upstream: application.address, root, frontController: '/admin/index.php' },
      ...{ index: false, deny },
    })
    return port
  }
  await answers(t, await start(['*.php']), {
    '/some/page': 'ran /admin/index.php',
    '/': 'ran /admin/index.php',
    '/admin/index.php': 403,
    '/admin/index.php/x': 403,
    '/a.php': 403,
    '/some/page?local=/admin/index.php': 403,
  })
  await answers(t, await start(['/admin/']), { '/some/page': 403, '/': 403, '/a.php': 'ran' })
})
