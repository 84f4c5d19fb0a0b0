// Compares the gateway's file sender with @fastify/send: throughput and memory for a file of 1 GB.
// node benchmarks/send-file.mjs [MEGABYTES] [ROUNDS]   (after npm run build)
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGateway } from '@fastcgi/gateway'
import { send } from '@fastify/send'

const MEGABYTE = 1_048_576

const HANDLERS = {
  '@fastify/send': (root) => async (req, res) => {
    const { statusCode, headers, stream } = await send(req, req.url, { root })
    res.writeHead(statusCode, headers)
    stream.pipe(res)
  },
  '@fastcgi/gateway': (root) =>
    createGateway({ upstream: '127.0.0.1:9', root, static: true }).handler,
}

if (process.send) await serve(process.argv[2], process.argv[3])
else await compare(Number(process.argv[2] ?? 1024) * MEGABYTE, Number(process.argv[3] ?? 5))

async function serve(name, root) {
  const server = createServer(HANDLERS[name](root)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.on('disconnect', () => process.exit())
  process.on('message', () => {
    const { resourceUsage } = process
    const { maxRSS, userCPUTime, systemCPUTime } = resourceUsage()
    process.send({ peak: maxRSS * 1024, cpu: (userCPUTime + systemCPUTime) / 1e6 })
  })
  process.send(server.address().port)
}

async function compare(size, rounds) {
  const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
  try {
    writeFileSync(join(root, 'huge.bin'), '')
    truncateSync(join(root, 'huge.bin'), size)
    const speeds = Object.fromEntries(Object.keys(HANDLERS).map((name) => [name, []]))
    // The two take turns, so that other load of the machine affects both.
    for (let round = 0; round <= rounds; round++)
      for (const name of Object.keys(HANDLERS)) {
        const result = await measure(name, root, size)
        // The first round is a warm-up.
        if (round > 0) speeds[name].push(result)
      }
    for (const [name, results] of Object.entries(speeds))
      console.log(
        `${name.padEnd(17)} ${median(results, 'speed').toFixed(0)} MB/s, ` +
          `${median(results, 'cpu').toFixed(2)} s CPU, ${median(results, 'peak').toFixed(0)} MB at most`,
      )
    const [theirs, ours] = Object.values(speeds).map((results) => median(results, 'speed'))
    console.log(`${(ours / theirs).toFixed(2)} times the throughput of @fastify/send`)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function measure(name, root, size) {
  const child = fork(fileURLToPath(import.meta.url), [name, root])
  const [port] = await once(child, 'message')
  const start = performance.now()
  const received = await download(port)
  const seconds = (performance.now() - start) / 1000
  if (received < size) throw new Error(`${name}: ${received} of ${size} bytes came`)
  child.send('usage')
  const [{ peak, cpu }] = await once(child, 'message')
  child.disconnect()
  await once(child, 'exit')
  return { speed: size / MEGABYTE / seconds, cpu, peak: peak / MEGABYTE }
}

async function download(port) {
  const socket = connect(port, '127.0.0.1')
  let received = 0
  socket.on('data', (chunk) => {
    received += chunk.length
  })
  socket.write('GET /huge.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  await once(socket, 'end')
  return received
}

function median(results, what) {
  const sorted = results.map((result) => result[what]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
