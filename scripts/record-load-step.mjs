// Records how many processes a dynamic application has while its clients become 40 and one again, and draws it:
// node scripts/record-load-step.mjs PROGRAM > docs/process-manager-load-step.svg
// PROGRAM is a FastCGI responder that waits as many milliseconds as the param WAIT says (test/fixtures/applications).
import { setTimeout as delay } from 'node:timers/promises'
import { createProcessManager } from '@fastcgi/process-manager'

const STEPS = [
  { clients: 1, seconds: 8 },
  { clients: 40, seconds: 20 },
  { clients: 1, seconds: 32 },
]
const OPTIONS = {
  mode: 'dynamic',
  maxClassProcesses: 16,
  minProcesses: 1,
  startDelay: 100,
  updateInterval: 1000,
  killInterval: 1000,
}
const PAUSE = 250
const WIDTH = 720
const HEIGHT = 260
const EDGE = 40

const manager = createProcessManager({
  command: [process.argv[2]],
  ...OPTIONS,
  logger: { info() {}, warn() {}, error() {} },
})
const samples = []
let clients = 0
let wanted = 0

async function client() {
  clients++
  while (clients <= wanted) {
    const response = await manager.request({ params: { WAIT: '20' } })
    await response.text()
  }
  clients--
}

const begun = performance.now()
for (const step of STEPS) {
  wanted = step.clients
  while (clients < wanted) void client()
  const end = performance.now() + step.seconds * 1000
  while (performance.now() < end) {
    samples.push([(performance.now() - begun) / 1000, wanted, manager.processes.length])
    await delay(PAUSE)
  }
}
wanted = 0
while (clients > 0) await delay(PAUSE)
const { requests, failed } = manager.stats
await manager.close()
console.error(`${requests} requests, ${failed} failed`)
console.log(draw())

function draw() {
  const last = samples.at(-1)[0]
  const x = (seconds) => (EDGE + ((WIDTH - 2 * EDGE) * seconds) / last).toFixed(1)
  const y = (count) => (HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * count) / 40).toFixed(1)
  const line = (which, color) => {
    const points = samples.flatMap((sample, at) => {
      const before = samples[at - 1]?.[which] ?? sample[which]
      return [`${x(sample[0])},${y(before)}`, `${x(sample[0])},${y(sample[which])}`]
    })
    return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.join(' ')}"/>`
  }
  const label = (left, top, anchor, text) =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}">${text}</text>`
  const ticks = [0, 10, 20, 30, 40].map((count) =>
    label(EDGE - 6, Number(y(count)) + 4, 'end', count),
  )
  const times = [0, 10, 20, 30, 40, 50, 60]
    .filter((time) => time <= last + 1)
    .map((time) => label(x(Math.min(time, last)), HEIGHT - EDGE + 18, 'middle', `${time} s`))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#555">
<title>Processes rise from 1 to 16 within two seconds of 40 clients, and fall, one a second, to 2 when there is one</title>
<rect width="100%" height="100%" fill="#fff"/>
<path stroke="#bbb" d="M${EDGE} ${EDGE}V${HEIGHT - EDGE}H${WIDTH - EDGE}" fill="none"/>
${[...ticks, ...times].join('\n')}
${line(1, '#9a9a9a')}
${line(2, '#0a6ebd')}
<text x="${WIDTH - EDGE}" y="24" text-anchor="end"><tspan fill="#777">clients</tspan> · <tspan fill="#0a6ebd">processes</tspan></text>
</svg>`
}
