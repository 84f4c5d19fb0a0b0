/** Guards and `deny` look at what a path leads to: an index file, a script with PATH_INFO, the front controller, redirects. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthorizer } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
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

/** A site with a directory and its index, and an application that says which script it runs. */
async function site(t: Test): Promise<{ root: string; application: Peer }> {
  const root = mkdtempSync(join(tmpdir(), 'resolved-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'admin'))
  mkdirSync(join(root, 'open'))
  for (const name of ['index.php', 'a.php', 'admin/index.php', 'admin/tool.php', 'open/index.php'])
    writeFileSync(join(root, name), '')
  const heads: Record<string, string> = {
    '/local': 'Location: /admin/\r\n\r\n',
    '/accel': 'X-Accel-Redirect: /inner/admin/tool.php\r\n\r\n',
  }
  const application = await startPeer(
    eachRequest((request, connection) => {
      const { SCRIPT_NAME, QUERY_STRING } = request.params
      const head = heads[`/${QUERY_STRING}`] ?? 'Content-Type: text/plain\r\n\r\n'
      connection.write(stdoutRecords(`${head}ran ${SCRIPT_NAME}`), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => application.close())
  return { root, application }
}

async function authorizer(t: Test, script = NO): Promise<Peer> {
  const peer = await startPeer(script)
  t.teardown(() => peer.close())
  return peer
}

await eachAdapter(t, 'deny', async (t, name: AdapterName) => {
  const { root, application } = await site(t)
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    deny: ['/admin/index.php', '/a.php', '/admin/tool.php'],
    accel: { '/inner/': {} },
    frontController: '/index.php',
  })
  for (const path of ['/admin/index.php', '/admin/', '/a.php/info', '/a.php', '/ADMIN/index.PHP'])
    t.equal((await rawGet(app.port, path)).status, 403, path)
  t.equal(application.requests.length, 0)
  for (const path of ['/open/', '/', '/pages/of/the/front/controller'])
    t.equal((await rawGet(app.port, path)).status, 200, path)
  t.equal((await rawGet(app.port, '/?local')).status, 403, 'a local redirect leads to it')
})

await eachAdapter(t, 'an ending that is mapped to another', async (t, name) => {
  const { root, application } = await site(t)
  const no = await authorizer(t)
  for (const file of ['old.php3', 'OTHER.PHP3', 'x.phtml', 'admin/index.php3'])
    writeFileSync(join(root, file), '')
  const options = {
    ...{ upstream: application.address, root, index: ['index.php3', 'index.php'] },
    mapExtensions: { '.php3': '.php', '.phtml': '.php' },
  }
  const guarded = await startAdapter(t, name, {
    ...options,
    proxyGuards: [{ match: '.php', authorizer: { upstream: no.address } }],
  })
  const denied = await startAdapter(t, name, {
    ...options,
    deny: ['*.php'],
    frontController: '/index.php',
  })
  for (const path of ['/old.php3', '/old.php3/info', '/OTHER.PHP3', '/x.phtml', '/admin/'])
    for (const { port } of [guarded, denied]) t.equal((await rawGet(port, path)).status, 403, path)
  t.equal(application.requests.length, 0)
  t.equal((await rawGet(denied.port, '/page')).status, 200)
})

await eachAdapter(t, 'guards', async (t, name: AdapterName) => {
  const { root, application } = await site(t)
  const no = await authorizer(t)
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    static: true,
    proxyGuards: [
      { match: ['/admin/index.php', '/a.php'], authorizer: { upstream: no.address } },
      { match: '/nothing/', authorizer: { upstream: no.address } },
    ],
  })
  for (const path of ['/admin/index.php', '/admin/', '/a.php/info', '/a.php', '/%61dmin//'])
    t.equal((await rawGet(app.port, path)).status, 403, path)
  t.equal(application.requests.length, 0)
  for (const path of ['/nothing', '/nothing/', '/nothing/at/all'])
    t.equal((await rawGet(app.port, path)).status, 403, `${path}: no word on whether it is there`)
  t.equal((await rawGet(app.port, '/admin/tool.php')).status, 200)
  t.equal((await rawGet(app.port, '/?local')).status, 403, 'a local redirect leads to it')
})

await eachAdapter(
  t,
  'guards for an extension: a front controller is asked about, too',
  async (t, name) => {
    const { root, application } = await site(t)
    const no = await authorizer(t)
    const app = await startAdapter(t, name, {
      upstream: application.address,
      root,
      static: true,
      frontController: '/index.php',
      proxyGuards: [{ match: '.php', authorizer: { upstream: no.address } }],
    })
    for (const path of ['/a.php', '/', '/some/page', '/admin/'])
      t.equal((await rawGet(app.port, path)).status, 403, path)
    t.equal(application.requests.length, 0)
  },
)

await eachAdapter(t, "guards in order, and an authorizer of one's own", async (t, name) => {
  const { root, application } = await site(t)
  const [yes, no] = [await authorizer(t, YES), await authorizer(t)]
  const own = createAuthorizer<unknown>({ upstream: yes.address })
  t.teardown(() => own.close())
  const app = await startAdapter(t, name, {
    upstream: application.address,
    root,
    proxyGuards: [{ authorizer: own }, { match: '/admin/', authorizer: { upstream: no.address } }],
  })
  t.equal((await rawGet(app.port, '/a.php')).status, 200)
  t.equal((await rawGet(app.port, '/admin/tool.php')).status, 403)
  t.equal(yes.requests.length, 2)
  t.equal(no.requests.length, 1)
})
