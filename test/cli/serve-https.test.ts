/** `fastcgi serve` with a certificate: HTTP/1.1 and HTTP/2, a renewed certificate, proxies in front. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect as connectTLS } from 'node:tls'
import t, { type Test } from 'tap'
import { findProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { type Served, serve, stop } from '../helpers/serve-command.ts'
import { until } from '../helpers/wait.ts'

const OPENSSL = findProgram('openssl')

/** Makes a certificate and its key. */
function certificate(directory: string, name: string): { cert: string; key: string } {
  const [cert, key] = ['crt', 'key'].map((ending) => join(directory, `${name}.${ending}`)) as [
    string,
    string,
  ]
  const subject = ['-subj', `/CN=${name}.example`, '-days', '2', '-nodes']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync(
    OPENSSL ?? '',
    ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  )
  return { cert, key }
}

async function application(t: Test): Promise<string> {
  const peer = await startPeer(
    wellBehaved(({ params }) => `${params.HTTPS} ${params.REMOTE_ADDR} ${params.HTTP_HOST}`),
  )
  t.teardown(() => peer.close())
  return peer.address
}

const insecure = { rejectUnauthorized: false }

function over1(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { ...insecure, agent: false }, async (response) => {
      let text = ''
      for await (const part of response) text += part
      resolve(text)
    })
      .on('error', reject)
      .end()
  })
}

async function over2(url: string): Promise<string> {
  const session = connectHttp2(url, insecure)
  const failed = once(session, 'error').then(([error]) => Promise.reject(error))
  await Promise.race([once(session, 'connect'), failed])
  const stream = session.request({ ':path': '/x.php' })
  let text = ''
  stream.setEncoding('utf8')
  for await (const part of stream) text += part
  session.close()
  return text
}

function subjectOf({ port }: Served): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTLS({ port, host: '127.0.0.1', ...insecure }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    }).on('error', reject)
  })
}

t.test('HTTPS, HTTP/2, a renewed certificate', needs('openssl', OPENSSL), async (t) => {
  const directory = t.testdir({ site: { 'x.php': '' } })
  const [first, second] = [certificate(directory, 'one'), certificate(directory, 'two')]
  const tls = ['--tls-cert', first.cert, '--tls-key', first.key]
  const site = ['--root', join(directory, 'site'), '--upstream', await application(t)]
  const served = await serve(t, ...site, ...tls, '--workers', '2')
  t.match(served.url, /^https:/)
  const host = new URL(served.url).host
  t.equal(await over1(`${served.url}/x.php`), `on 127.0.0.1 ${host}`)
  t.equal(await over2(served.url), `on 127.0.0.1 ${host}`)
  t.equal(await subjectOf(served), 'one.example')
  copyFileSync(second.cert, first.cert)
  copyFileSync(second.key, first.key)
  const seen = (): number => served.stderr().split('is used for new connections').length - 1
  await until('the new certificate in both workers', () => seen() >= 2)
  t.equal(await subjectOf(served), 'two.example')
  await stop(t, served)
})

t.test('Express speaks HTTP/1.1 only', needs('openssl', OPENSSL), async (t) => {
  const directory = t.testdir({ site: { 'x.php': '' } })
  const { cert, key } = certificate(directory, 'one')
  const site = ['--root', join(directory, 'site'), '--upstream', await application(t)]
  const served = await serve(
    t,
    ...site,
    '--tls-cert',
    cert,
    '--tls-key',
    key,
    '--adapter',
    'express',
  )
  t.match(await over1(`${served.url}/x.php`), 'on 127.0.0.1')
  await t.rejects(over2(served.url))
  await stop(t, served)
})

for (const adapter of ['fastify', 'express'])
  t.test(`--trust-proxy: what a proxy says of its clients (${adapter})`, async (t) => {
    const root = t.testdir({ 'x.php': '' })
    const site = ['--root', root, '--adapter', adapter, '--upstream', await application(t)]
    const ask = (served: Served): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' }
        httpRequest(`${served.url}/x.php`, { headers, agent: false }, async (response) => {
          let text = ''
          for await (const part of response) text += part
          resolve(text)
        })
          .on('error', reject)
          .end()
      })
    for (const [args, answer] of [
      [[], 'undefined 127.0.0.1'],
      [['--trust-proxy', '1'], 'on 192.0.2.1'],
      [['--trust-proxy', '10.0.0.0/8', '--trust-proxy', 'loopback'], 'on 192.0.2.1'],
      [['--trust-proxy', '10.0.0.0/8'], 'undefined 127.0.0.1'],
    ] as const) {
      const served = await serve(t, ...site, ...args)
      t.match(await ask(served), answer, args.join(' '))
      await stop(t, served)
    }
  })
