/** REMOTE_ADDR is each request's own, also where a trusted proxy carries several clients on one connection. */
import { Agent } from 'node:http'
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import { ask } from '../helpers/php-http.ts'
import { wellBehaved } from '../helpers/scripted-peer.ts'

const NAMES = ['REMOTE_ADDR', 'REMOTE_HOST', 'REMOTE_PORT', 'SERVER_ADDR']
const script = wellBehaved(({ params }) => JSON.stringify(NAMES.map((name) => params[name])))

for (const adapter of ADAPTERS)
  for (const trustProxy of [true, false])
    t.test(`${adapter}, trustProxy: ${trustProxy}`, async (t) => {
      const { app } = await behind(t, adapter, script, { trustProxy })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      t.teardown(() => agent.destroy())
      let connections = 0
      app.server.on('connection', () => connections++)
      for (const client of ['192.0.2.1', '192.0.2.2', undefined, '192.0.2.2', '192.0.2.1']) {
        const headers = client === undefined ? {} : { 'x-forwarded-for': client }
        const { body } = await ask(app.port, '/x.php', { agent, headers })
        const [address, host, port, server] = JSON.parse(String(body))
        // A bare node:http server trusts nobody.
        const own = client === undefined || !trustProxy || adapter === 'http'
        t.equal(address, own ? '127.0.0.1' : client)
        t.equal(host, address)
        t.equal(
          port !== undefined && port !== null,
          own,
          'a port belongs to an address of the same connection',
        )
        t.equal(server, '127.0.0.1')
      }
      t.equal(connections, 1)
    })
