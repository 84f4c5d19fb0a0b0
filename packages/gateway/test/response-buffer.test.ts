/** Buffered response bodies: every byte, in order, whoever is faster; memory and disk stay within their limits. */

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync, rmSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'

// No part of what the package exports.
const MODULE = new URL('../../dist/response/response-buffer.js', import.meta.url).href
const { BufferedBody, bufferingRules } = (await import(
  MODULE
)) as typeof import('../src/response/response-buffer.ts')

type BufferLimits = import('../src/response/response-buffer.ts').BufferLimits

/** An application that goes on until it is told to pause, and when it is told to go on. */
class Source {
  readonly body: InstanceType<typeof BufferedBody>
  readonly failures: Error[] = []
  taken = 0
  finished = false
  aborted = false
  #chunks: Buffer[]
  #paused = false

  constructor(limits: BufferLimits, chunks: Buffer[]) {
    this.body = new BufferedBody(limits, (error) => this.failures.push(error))
    this.#chunks = [...chunks]
    this.body.control = {
      resume: () => {
        if (!this.#paused) return
        this.#paused = false
        this.run()
      },
      abort: () => {
        this.aborted = true
      },
    }
  }

  /** Gives all there is, until asked for a pause. */
  run(): void {
    while (!this.#paused) {
      const chunk = this.#chunks.shift()
      if (chunk === undefined) {
        this.finished = true
        this.body.finish()
        return
      }
      this.taken += chunk.length
      this.#paused = !this.body.accept(chunk)
    }
  }
}

function pieces(total: number, size: () => number): Buffer[] {
  const chunks: Buffer[] = []
  for (let sum = 0; sum < total; ) {
    const chunk = randomBytes(Math.min(size(), total - sum))
    chunks.push(chunk)
    sum += chunk.length
  }
  return chunks
}

const random = (most: number) => 1 + Math.floor(Math.random() * most)
const turn = () => new Promise(setImmediate)

for (const [name, memory, file] of [
  ['memory', 1_000_000, 0],
  ['a file', 0, 10_000_000],
  ['both', 10_000, 200_000],
  ['both, each too small', 1000, 5000],
  ['neither', 0, 0],
] as const)
  t.test(`every byte in order: ${name}`, async (t) => {
    for (let run = 0; run < 20; run++) {
      const chunks = pieces(400_000, () => random(20_000))
      const source = new Source({ memory, file, directory: t.testdir() }, chunks)
      source.run()
      const received: Buffer[] = []
      for (;;) {
        // A client that takes now much, now little, now nothing.
        for (let n = random(3); n > 1; n--) await turn()
        const chunk: Buffer | null =
          source.body.read(Math.min(random(30_000), source.body.readableLength)) ??
          source.body.read()
        if (chunk !== null) received.push(chunk)
        else if (source.body.readableEnded) break
        else await turn()
      }
      t.ok(Buffer.concat(received).equals(Buffer.concat(chunks)))
      t.notOk(source.aborted)
    }
  })

t.test(
  'all that fits is taken though nobody reads; the rest is asked for when there is room',
  async (t) => {
    const limits = { memory: 10_000, file: 1_000_000, directory: t.testdir() }
    const whole = new Source(
      limits,
      pieces(900_000, () => 65_536),
    )
    whole.run()
    await settled(whole, 900_000)
    t.equal(whole.taken, 900_000)
    const more = new Source(
      limits,
      pieces(3_000_000, () => 65_536),
    )
    more.run()
    await settled(more, 1_000_000)
    t.ok(more.taken < 1_000_000 + 10_000 + 200_000, `${more.taken} bytes`)
    t.equal((await buffer(more.body)).length, 3_000_000)
    whole.body.destroy()
  },
)

/** Waits until so much has been taken, or nothing has moved for a while. */
async function settled(source: Source, wanted: number): Promise<void> {
  let before = -1
  for (let still = 0; source.taken < wanted && still < 50; ) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    still = source.taken === before ? still + 1 : 0
    before = source.taken
  }
}

t.test('the file has no name, and goes with its response', async (t) => {
  const directory = t.testdir()
  const source = new Source(
    { memory: 0, file: 1_000_000, directory },
    pieces(500_000, () => 50_000),
  )
  source.run()
  // When the last piece has been taken, there may be a pause before the end.
  while (!source.finished) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(readdirSync(directory), [])
  t.equal(openFiles(directory), 1)
  source.body.destroy()
  await once(source.body, 'close')
  t.equal(openFiles(directory), 0)
  t.notOk(source.aborted, 'the application had done its part')
})

function openFiles(directory: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return links.filter((link) => link.startsWith(directory)).length
}

t.test('a disk that cannot be written to: backpressure, and a word about it', async (t) => {
  const directory = t.testdir()
  rmSync(directory, { recursive: true })
  const chunks = pieces(2_000_000, () => 10_000)
  const source = new Source({ memory: 10_000, file: 1_000_000, directory }, chunks)
  source.run()
  await settled(source, 2_000_000)
  t.ok(source.taken < 300_000, `${source.taken} bytes were taken`)
  t.equal(source.failures.length, 1)
  t.ok((await buffer(source.body)).equals(Buffer.concat(chunks)))
})

t.test(
  'a disk that fills up: what was written is read again, the rest goes without it',
  async (t) => {
    // A limit on the size of files stands for a full disk: a write comes to a part, then to an error.
    const program = `
    import { BufferedBody } from '${MODULE}'
    import { buffer } from 'node:stream/consumers'
    let failures = 0
    const body = new BufferedBody({ memory: 1000, file: 1e6, directory: process.argv[1] }, () => failures++)
    const sent = []
    let resume
    body.control = { resume: () => resume?.(), abort() {} }
    for (let n = 0; n < 50; n++) {
      sent.push(Buffer.alloc(7000, String.fromCharCode(65 + n)))
      if (!body.accept(sent.at(-1))) {
        await Promise.race([new Promise((r) => { resume = r }), new Promise((r) => setTimeout(r, 50))])
      }
    }
    body.finish()
    const got = await buffer(body)
    console.log(got.equals(Buffer.concat(sent)), failures)`
    const node = [process.execPath, '--input-type=module', '-e', program, t.testdir()]
    // Without tap's loader, whose signal handlers would end the process instead.
    const limited = 'unset NODE_OPTIONS; ulimit -f 200; exec "$@"'
    const { stdout, stderr } = spawnSync('sh', ['-c', limited, 'sh', ...node], { encoding: 'utf8' })
    t.same({ stdout, stderr }, { stdout: 'true 1\n', stderr: '' })
  },
)

t.test('destroyed before its end, it gives the request up', async (t) => {
  const source = new Source(
    { memory: 10, file: 0, directory: t.testdir() },
    pieces(100_000, () => 1000),
  )
  source.run()
  source.body.destroy()
  await once(source.body, 'close')
  t.ok(source.aborted)
})

t.test('what the option means', (t: Test) => {
  const directory = '/tmp'
  const limits = { memory: 65_536, file: 1_073_741_824, directory }
  t.same(bufferingRules(undefined, directory), { limits, on: false })
  t.same(bufferingRules(false, directory), { limits, on: false })
  t.same(bufferingRules(true, directory), { limits, on: true })
  t.same(bufferingRules({ memory: 1, file: 2 }, directory), {
    limits: { memory: 1, file: 2, directory },
    on: true,
  })
  t.end()
})
