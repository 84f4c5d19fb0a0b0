import { fstatSync } from 'node:fs'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { FastCGIError } from '@fastcgi/client'

/** A listening socket to be opened. */
export type SocketToOpen = { readonly backlog: number } & (
  | {
      readonly kind: 'unix'
      readonly path: string
      /** Name until mode and owner are right. */
      readonly hidden: string
      readonly mode: number
      readonly uid?: number | undefined
      readonly gid?: number | undefined
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
)

/** What the thread is given. */
export interface ParkingData {
  readonly port: MessagePort
  /** Wakes the thread. */
  readonly signal: Int32Array
}

/** Opens a socket, or closes the one of that id. */
export interface ParkingCommand {
  readonly id: number
  readonly open?: SocketToOpen
}

export interface ParkingAnswer {
  readonly id: number
  readonly fd?: number
  readonly error?: { readonly code: string | undefined; readonly message: string }
}

/** A listening socket that nobody in this process accepts on; children inherit it. */
export interface ParkedSocket {
  readonly fd: number
  /** Whether `fd` still is that socket: it would not be if the thread had died. */
  readonly intact: boolean
  /** Refuses who waits in the backlog. Does not remove the name of a unix socket. */
  close(): Promise<void>
}

/** Opens a listening socket. @throws FastCGIError `FCGI_LISTEN`, whose `cause` has the code of the system. */
export async function park(socket: SocketToOpen): Promise<ParkedSocket> {
  thread ??= new ParkingThread(() => {
    thread = undefined
  })
  return await thread.open(socket)
}

/** One for all managers of this process (or thread); it is started with the first socket. */
let thread: ParkingThread | undefined

class ParkingThread {
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(4))
  readonly #waiting = new Map<number, (answer: ParkingAnswer) => void>()
  #lastId = 0
  #dead = false

  constructor(onDead: () => void) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const worker = new Worker(new URL('./parking-thread.js', import.meta.url), {
      workerData: { port: port2, signal: this.#signal } satisfies ParkingData,
      transferList: [port2],
      execArgv: [],
      env: {},
    })
    worker.unref()
    port1.on('message', (answer: ParkingAnswer) => this.#waiting.get(answer.id)?.(answer))
    port1.unref()
    const dead = (error?: unknown): void => {
      if (this.#dead) return
      this.#dead = true
      onDead()
      const message = `the thread of listening sockets has ended: ${error}`
      for (const [id, settle] of this.#waiting) settle({ id, error: { code: undefined, message } })
    }
    worker.once('error', dead).once('exit', dead)
  }

  async open(socket: SocketToOpen): Promise<ParkedSocket> {
    const id = ++this.#lastId
    const { fd, error } = await this.#ask({ id, open: socket })
    if (fd === undefined) throw listenError(socket, error)
    const { ino } = fstatSync(fd)
    return {
      fd,
      get intact() {
        return inode(fd) === ino
      },
      close: async () => {
        await this.#ask({ id })
      },
    }
  }

  #ask(command: ParkingCommand): Promise<ParkingAnswer> {
    if (this.#dead) return Promise.resolve({ id: command.id })
    return new Promise((resolve) => {
      this.#waiting.set(command.id, (answer) => {
        this.#waiting.delete(answer.id)
        if (this.#waiting.size === 0) this.#port.unref()
        resolve(answer)
      })
      this.#port.ref()
      this.#port.postMessage(command)
      Atomics.store(this.#signal, 0, 1)
      Atomics.notify(this.#signal, 0)
    })
  }
}

function inode(fd: number): number | undefined {
  try {
    return fstatSync(fd).ino
  } catch {
    return undefined
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'somebody else listens there already',
  EEXIST: 'somebody else has just made it',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'there is no such directory',
  EADDRNOTAVAIL: 'this machine does not have that address',
}

function listenError(socket: SocketToOpen, error: ParkingAnswer['error']): FastCGIError {
  const name = socket.kind === 'unix' ? socket.path : `${socket.host}:${socket.port}`
  const reason = (error?.code && REASONS[error.code]) ?? error?.message
  return new FastCGIError('FCGI_LISTEN', `cannot listen on ${name}: ${reason}`, {
    cause: Object.assign(new Error(error?.message), { code: error?.code }),
  })
}
