/** A lighttpd with a configuration, a directory and a loopback port of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'
import { needs } from './require-program.ts'
import { scaled } from './time-limit.ts'
import { delay, within } from './wait.ts'

/** Where the program lies. */
export function findLighttpd(): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return directories.map((directory) => join(directory, 'lighttpd')).find(executable)
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const NEEDS_LIGHTTPD = needs('lighttpd', findLighttpd())

/** A lighttpd that accepts connections. */
export interface Lighttpd {
  readonly port: number
  readonly url: string
  /** Of its own, gone with it: for sockets and temporary files. */
  readonly directory: string
  /** What it wrote to its error log so far. */
  output(): string
  /** Ends it; the end of the test does it as well. */
  stop(): Promise<void>
}

/** Lines of a configuration, `server.document-root` among them; port, address and directory of uploads are there already. */
export type Configuration = string | ((own: { port: number; directory: string }) => string)

const START_TIMEOUT = 10_000

/** Starts it; it is stopped with the test, or with this process. */
export async function lighttpd(t: Test, configuration: Configuration): Promise<Lighttpd> {
  for (let attempts = 3; ; attempts--) {
    const server = new RunningLighttpd(await freePort(), configuration)
    try {
      await server.ready()
      t.teardown(() => server.stop())
      return server
    } catch (error) {
      await server.stop()
      // Somebody else may have taken the free port in the meantime.
      if (attempts === 1) throw error
    }
  }
}

class RunningLighttpd implements Lighttpd {
  readonly port: number
  readonly directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  constructor(port: number, configuration: Configuration) {
    this.port = port
    const file = join(this.directory, 'lighttpd.conf')
    writeFileSync(file, this.#text(configuration))
    // The shell ends it when the pipe closes: also when this process is killed and can't.
    const script = '"$0" -D -f "$1" & read -r line; kill $!; wait $!; rm -rf -- "$2"'
    const program = findLighttpd() ?? 'lighttpd'
    this.#child = spawn('/bin/sh', ['-c', script, program, file, this.directory], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    this.#exited = once(this.#child, 'exit')
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#output += text
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  output(): string {
    return this.#output
  }

  async ready(): Promise<void> {
    const end = performance.now() + scaled(START_TIMEOUT)
    while (!this.#output.includes('server started') || !(await this.#accepts())) {
      const ended = / server stopped|Configuration|failed|\(configfile/.test(this.#output)
      if (ended || performance.now() > end)
        throw new Error(`lighttpd does not start: ${this.#output}`)
      await delay(10)
    }
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end()
    await within('lighttpd to end', this.#exited)
    rmSync(this.directory, { recursive: true, force: true })
  }

  #text(configuration: Configuration): string {
    const { port, directory } = this
    return [
      `server.port = ${port}`,
      'server.bind = "127.0.0.1"',
      `server.upload-dirs = ( "${directory}" )`,
      typeof configuration === 'string' ? configuration : configuration({ port, directory }),
      '',
    ].join('\n')
  }

  #accepts(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1')
    return new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    }).finally(() => socket.destroy())
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
