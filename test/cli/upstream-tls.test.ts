/** Encrypted upstreams of the commands: `fastcgi request`, `fastcgi ping`, `fastcgi serve`. */
import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Authority, NEEDS_OPENSSL } from '../helpers/certificates.ts'
import { ENV, MAIN, serveWith, stop } from '../helpers/serve-command.ts'
import { tlsApplication } from '../helpers/tls-application.ts'

/** Runs a command to its end. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env: ENV }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}

t.test('encrypted upstreams', NEEDS_OPENSSL, async (t) => {
  const authority = new Authority(t)
  const { cert, key } = authority.sign('server')
  const { certFile, keyFile } = authority.sign('client')
  const port = await tlsApplication(t, { tls: { cert, key, ca: authority.ca } })
  const upstream = ['--upstream', `fcgis://localhost:${port}`]
  const ca = ['--upstream-ca', authority.own.certFile]
  const tls = [...ca, '--upstream-cert', certFile, '--upstream-key', keyFile]

  await t.test('request', async (t) => {
    const asked = ['request', ...upstream, '--param', 'REQUEST_URI=/a', '--no-head']
    t.same(await run(...asked, ...tls), { code: 0, stdout: 'answer to /a', stderr: '' })
    t.match(await run(...asked), { code: 1, stderr: /option tls\): .* not trusted \(tls\.ca\)/ })
    t.match(await run(...asked, '--upstream-ca', '/no/such.crt'), {
      code: 2,
      stderr: /option --upstream-ca cannot be read: ENOENT/,
    })
  })

  await t.test('ping', async (t) => {
    t.match(await run('ping', ...upstream, ...tls), { code: 0, stdout: /FCGI_MPXS_CONNS=1/ })
  })

  await t.test('serve, with options', async (t) => {
    const args = ['--listen', '127.0.0.1:0', '--route', '/', ...upstream, ...tls]
    const served = await serveWith(t, { args })
    t.equal(await (await fetch(`${served.url}/a`)).text(), 'answer to /a')
    await stop(t, served)
  })

  await t.test('serve, with files beside the configuration', async (t) => {
    const config = {
      upstream: upstream[1],
      route: '/',
      listen: '127.0.0.1:0',
      tls: { ca: 'ca.crt', cert: 'client.crt', key: 'client.key' },
    }
    const cwd = t.testdir({ site: { 'fastcgi.config.json': JSON.stringify(config) } })
    copyFileSync(authority.own.certFile, join(cwd, 'site/ca.crt'))
    copyFileSync(certFile, join(cwd, 'site/client.crt'))
    copyFileSync(keyFile, join(cwd, 'site/client.key'))
    const served = await serveWith(t, { args: ['site'], cwd })
    t.equal(await (await fetch(`${served.url}/a`)).text(), 'answer to /a')
    await stop(t, served)
  })
})
