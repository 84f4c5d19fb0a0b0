/** Many requests on one client connection: every one gets its own answer, in order. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { eachRequest } from '../helpers/scripted-peer.ts'

eachAdapter(t, 'a thousand requests with bodies of any size', async (t, adapter) => {
  const script = eachRequest(async (req, connection) => {
    const stdin = await req.stdin()
    const length = req.params.QUERY_STRING === 'length' ? `Content-Length: ${stdin.length}\r\n` : ''
    connection.write(whole(`${length}X-Id: ${req.params.HTTP_X_ID}\r\n\r\n`, stdin))
  })
  const { app, peer } = await behind(t, adapter, script)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  let wrong = 0
  for (let n = 0; n < 1000; n++) {
    const body = randomBytes(random(10) === 0 ? random(200_000) : random(2000))
    const headers = { 'x-id': n, ...(random(2) === 0 && { 'content-length': body.length }) }
    const query = random(2) === 0 ? 'length' : ''
    const call = request(`${app.url}/x.php?${query}`, { agent, method: 'POST', headers })
    call.end(body)
    const [response] = await once(call, 'response')
    const back = await buffer(response)
    if (response.headers['x-id'] !== String(n) || !back.equals(body)) wrong++
  }
  t.equal(wrong, 0)
  t.equal(peer.requests.length, 1000)
  t.strictSame(app.log, [])
})
