// Measures what monitoring costs: the processor time of a request without it, and with the status page and the metrics asked for
// once a second each. Run it by hand on an idle machine with two processors: node scripts/measure-monitoring.mjs [ROUNDS] [SECONDS]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createServer as createApplication } from '@fastcgi/application'
import { createGateway, createStatus } from '@fastcgi/gateway'

/** The upstreams of the gateway; the page and the metrics show each. */
const MEMBERS = 10
const CLIENTS = 16

const [role, ...rest] = process.argv.slice(2)
if (role === 'application') await application()
else if (role === 'gateway') await gateway(JSON.parse(rest[0]))
else await measure(Number(role ?? 7), Number(rest[0] ?? 5))

async function application() {
  const addresses = []
  for (let n = 0; n < MEMBERS; n++) {
    const server = createApplication((_req, res) => res.end('x'.repeat(1024)))
    await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening')
    addresses.push(`fcgi://127.0.0.1:${server.address().port}`)
  }
  process.send(addresses)
}

async function gateway(members) {
  const { handler, dispatchers } = createGateway({
    root: '/srv',
    checkLocal: false,
    upstream: { name: 'site', members },
  })
  const status = createStatus({ dispatchers })
  const server = createServer((req, res) => {
    if (!req.url.startsWith('/status')) return handler(req, res)
    const { method, url, headers } = req
    const { status: code, headers: fields, body } = status.respond({ method, url, headers })
    return res.writeHead(code, fields).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.on('message', () => process.send(process.cpuUsage()))
  process.send(server.address().port)
}

async function measure(rounds, seconds) {
  const app = await start('application')
  const node = await start('gateway', JSON.stringify(app.told))
  const cpu = { without: [], with: [] }
  await phase(node, 3, false)
  for (let round = 0; round < rounds; round++)
    for (const name of round % 2 === 0 ? ['without', 'with'] : ['with', 'without'])
      cpu[name].push(await phase(node, seconds, name === 'with'))
  const scrape = await costOf(node, '/status?format=prometheus')
  const page = await costOf(node, '/status?format=html')
  for (const child of [node.child, app.child]) child.kill()
  const [bare, watched] = [median(cpu.without), median(cpu.with)]
  console.log(`without: ${bare.toFixed(1)} µs of CPU a request; with: ${watched.toFixed(1)} µs`)
  console.log(`ratio ${(watched / bare).toFixed(3)}; a scrape ${scrape} ms, the page ${page} ms`)
}

async function start(name, ...args) {
  const child = fork(fileURLToPath(import.meta.url), [name, ...args])
  const [told] = await once(child, 'message')
  return { child, told }
}

/** Microseconds of CPU a request. */
async function phase(node, seconds, watched) {
  const end = performance.now() + seconds * 1000
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const before = await cpuOf(node)
  let requests = 0
  const client = async () => {
    while (performance.now() < end) {
      await fetchOne(node.told, '/index.php', agent)
      requests++
    }
  }
  const look = () => {
    for (const format of ['html', 'prometheus'])
      fetchOne(node.told, `/status?format=${format}`).catch(() => {})
  }
  const timer = watched ? setInterval(look, 1000) : undefined
  await Promise.all(Array.from({ length: CLIENTS }, client))
  clearInterval(timer)
  const used = (await cpuOf(node)) - before
  agent.destroy()
  return used / requests
}

/** Milliseconds of CPU of one answer. */
async function costOf(node, path) {
  const before = await cpuOf(node)
  for (let n = 0; n < 100; n++) await fetchOne(node.told, path)
  return (((await cpuOf(node)) - before) / 100 / 1000).toFixed(2)
}

async function cpuOf({ child }) {
  child.send('cpu')
  const [{ user, system }] = await once(child, 'message')
  return user + system
}

function fetchOne(port, path, agent) {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`))
      response.resume().on('end', resolve)
    }).on('error', reject)
  })
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1]
}
