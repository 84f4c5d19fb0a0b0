// Listening sockets that this process opens but never accepts on, for its children to inherit; see parking-thread.ts.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { FastCGIError } from '@fastcgi/client'
import { socketInode } from '../spawning/socket-inode.ts'

/** Parameters of a listening socket. */
export type SocketToOpen = { readonly backlog: number } & (
  | {
      readonly kind: 'unix'
      readonly path: string
      /** Path in the same directory that it has until its mode and owner are set; undefined: it is bound to `path`. */
      readonly temporaryPath?: string | undefined
      readonly mode: number
      readonly uid?: number | undefined
      readonly gid?: number | undefined
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
)

/** Data that the thread is started with. */
export interface ParkingData {
  readonly port: MessagePort
  /** Set to 1 and notified when a command has been posted: the thread waits on it, not on its event loop. */
  readonly signal: Int32Array
}

/** Opens a socket, or, without `open`, closes the socket of that id. */
export interface ParkingCommand {
  readonly id: number
  readonly open?: SocketToOpen
}

/** Result of the command with the same id. */
export interface ParkingReply {
  readonly id: number
  readonly fd?: number
  readonly error?: { readonly code: string | undefined; readonly message: string }
}

/** A listening socket that children inherit; this process never accepts on it. */
export interface ParkedSocket {
  readonly fd: number
  /** Its inode, as /proc shows it. */
  readonly inode: string | undefined
  /** Whether `fd` still is that socket. It is not if the thread has died: the number is then closed or reused. */
  readonly intact: boolean
  /** Closes the socket, which resets the connections in its backlog. Does not remove the path of a unix socket. */
  close(): Promise<void>
}

/** Opens a listening socket. @throws FastCGIError `FCGI_LISTEN`, whose `cause` has the `code` of the system error. */
export async function park(socket: SocketToOpen): Promise<ParkedSocket> {
  thread ??= new ParkingThread(() => {
    thread = undefined
  })
  return await thread.open(socket)
}

/** Shared by all managers of this process (or worker thread); started with the first socket. */
let thread: ParkingThread | undefined

/** The main thread's end of the parking thread. */
class ParkingThread {
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(4))
  readonly #pending = new Map<number, (reply: ParkingReply) => void>()
  #lastId = 0
  #exited = false

  constructor(onExit: () => void) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const worker = new Worker(new URL('./parking-thread.js', import.meta.url), {
      workerData: { port: port2, signal: this.#signal } satisfies ParkingData,
      transferList: [port2],
      execArgv: [],
      env: {},
    })
    worker.unref()
    port1.on('message', (reply: ParkingReply) => this.#pending.get(reply.id)?.(reply))
    port1.unref()
    const onWorkerExit = (error?: unknown): void => {
      if (this.#exited) return
      this.#exited = true
      onExit()
      const message = `the thread of listening sockets has ended: ${error}`
      for (const [id, settle] of this.#pending) settle({ id, error: { code: undefined, message } })
    }
    worker.once('error', onWorkerExit).once('exit', onWorkerExit)
  }

  async open(socket: SocketToOpen): Promise<ParkedSocket> {
    const id = ++this.#lastId
    const { fd, error } = await this.#send({ id, open: socket })
    if (fd === undefined) throw listenError(socket, error)
    const inode = socketInode(fd)
    return {
      fd,
      inode,
      get intact() {
        return inode !== undefined && socketInode(fd) === inode
      },
      close: async () => {
        await this.#send({ id })
      },
    }
  }

  #send(command: ParkingCommand): Promise<ParkingReply> {
    if (this.#exited) return Promise.resolve({ id: command.id })
    return new Promise((resolve) => {
      this.#pending.set(command.id, (reply) => {
        this.#pending.delete(reply.id)
        if (this.#pending.size === 0) this.#port.unref()
        resolve(reply)
      })
      this.#port.ref()
      this.#port.postMessage(command)
      Atomics.store(this.#signal, 0, 1)
      Atomics.notify(this.#signal, 0)
    })
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'somebody else listens there already',
  EEXIST: 'another program has just created it',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'its directory does not exist',
  EMFILE: 'this process has too many open files (EMFILE)',
  ENFILE: 'the system has too many open files (ENFILE)',
  EADDRNOTAVAIL: 'no interface of this machine has that address',
}

function listenError(socket: SocketToOpen, error: ParkingReply['error']): FastCGIError {
  const name = socket.kind === 'unix' ? socket.path : `${socket.host}:${socket.port}`
  const code = socket.kind === 'unix' && !hasDirectory(socket.path) ? 'ENOENT' : error?.code
  const reason = (code && REASONS[code]) ?? error?.message
  return new FastCGIError('FCGI_LISTEN', `cannot listen on ${name}: ${reason}`, {
    cause: Object.assign(new Error(error?.message), { code: error?.code }),
  })
}

/** Whether the directory of a path exists. If it does not, libuv reports EACCES instead of ENOENT. */
function hasDirectory(path: string): boolean {
  try {
    return statSync(dirname(path), { bigint: true }).isDirectory()
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}
