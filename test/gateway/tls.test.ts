/** Encrypted upstreams of the gateway: the option `tls` of all adapters, and what a client is told when it fails. */
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { Authority, NEEDS_OPENSSL } from '../helpers/certificates.ts'
import { tlsApplication } from '../helpers/tls-application.ts'

t.test('an encrypted upstream', NEEDS_OPENSSL, async (t) => {
  await eachAdapter(t, 'tls', askThrough)
})

async function askThrough(t: Test, name: AdapterName): Promise<void> {
  const authority = new Authority(t)
  const { cert, key } = authority.sign('server')
  const expired = authority.sign('expired', undefined, -1)
  const client = authority.sign('client')
  const port = await tlsApplication(t, { tls: { cert, key, ca: authority.ca } })
  const bad = await tlsApplication(t, { tls: { cert: expired.cert, key: expired.key } })
  const [good, wrong] = [port, bad].map((port) => `fcgis://localhost:${port}`) as [string, string]
  const options = {
    root: '/srv',
    checkLocal: false,
    routes: [{ match: '/' }],
    timeouts: { connect: 30_000 },
    tls: { ca: authority.ca, cert: client.cert, key: client.key },
  }

  const { url } = await startAdapter(t, name, { ...options, upstream: good })
  t.equal(await (await fetch(`${url}/a?b`)).text(), 'answer to /a?b')

  const failing = await startAdapter(t, name, { ...options, upstream: wrong })
  t.equal((await fetch(`${failing.url}/a`)).status, 502)
  t.match(failing.log.join('\n'), `${wrong} (option tls): its certificate has expired`)

  const both = await startAdapter(t, name, { ...options, upstream: [wrong, good] })
  for (let n = 0; n < 4; n++)
    t.equal(await (await fetch(`${both.url}/a`)).text(), 'answer to /a', 'the next member')
}
