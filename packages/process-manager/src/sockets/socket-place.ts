import { randomBytes } from 'node:crypto'
import {
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { connect, isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { type Address, FastCGIError, OptionError, parseAddress } from '@fastcgi/client'
import { reaper } from '../spawning/reaper.ts'
import { type ParkedSocket, park } from './parking.ts'

// sun_path of Linux holds 108 bytes with the final NUL, that of macOS and the BSDs 104.
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

/** How a socket is to be. */
export interface SocketSettings {
  readonly backlog: number
  /** Of a unix socket. */
  readonly mode: number
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

/** Where the sockets of an application are: one for each process, numbered. */
export class SocketPlace {
  readonly #base: Address
  readonly #settings: SocketSettings
  #ownDirectory: string | undefined

  /**
   * @param listen base of their addresses; undefined for `name` in `directory`.
   * @param directory where they are; undefined for one of our own, removed at the end.
   * @throws OptionError
   */
  constructor(
    name: string,
    listen: string | undefined,
    directory: string | undefined,
    settings: SocketSettings,
  ) {
    this.#settings = settings
    if (listen !== undefined) this.#base = numbered(listen)
    else {
      const path = directory === undefined ? this.#makeOwn() : ensurePrivate(directory)
      const file = join(path, name.replaceAll(/[^\w.-]/g, '_').slice(0, 40))
      this.#base = { kind: 'unix', path: file, name: `unix:${file}` }
    }
    this.address(9999)
  }

  /** Address of the process of that number. @throws OptionError when it cannot be one. */
  address(number: number): Address {
    const base = this.#base
    if (base.kind === 'tcp')
      return parseAddress(`tcp://${hostPart(base.host)}:${base.port + number}`)
    const path = `${base.path}-${number}`
    const length = Buffer.byteLength(hiddenName(path))
    if (length > MAX_SOCKET_PATH)
      throw new OptionError(
        `process manager: the path ${path} is too long for a socket: with what is appended it has ${length} bytes, ${MAX_SOCKET_PATH} are possible (options ipcDir, listen)`,
      )
    return parseAddress(`unix:${path}`)
  }

  /** Opens the socket of that number. @throws FastCGIError when somebody else has it. */
  open(number: number): Promise<ParkedSocket> {
    return openWatchedSocket(this.address(number), this.#settings)
  }

  /** Removes what was made for it. */
  remove(): void {
    if (this.#ownDirectory === undefined) return
    try {
      rmdirSync(this.#ownDirectory)
    } catch {
      // Somebody put something in it, or has removed it.
    }
    reaper.forget('directory', this.#ownDirectory)
  }

  #makeOwn(): string {
    const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
    reaper.watch('directory', path)
    this.#ownDirectory = path
    return path
  }
}

/** Opens a listening socket, in the place of one that nobody listens on any more. @throws FastCGIError */
export async function openSocket(
  address: Address,
  { backlog, mode, owner }: SocketSettings,
): Promise<ParkedSocket> {
  if (address.kind === 'tcp')
    return await park({ kind: 'tcp', host: address.host, port: address.port, backlog })
  const { path } = address
  await removeStale(path)
  const socket = await park({
    kind: 'unix',
    path,
    hidden: hiddenName(path),
    mode,
    ...owner,
    backlog,
  })
  return {
    fd: socket.fd,
    get intact() {
      return socket.intact && isSocket(path)
    },
    close: async () => {
      remove(path)
      await socket.close()
    },
  }
}

/** The same, but it is gone when this process is, however that ends. @throws FastCGIError */
export async function openWatchedSocket(
  address: Address,
  settings: SocketSettings,
): Promise<ParkedSocket> {
  const socket = await openSocket(address, settings)
  const inode = String(fstatSync(socket.fd).ino)
  reaper.watch('socket', inode)
  if (address.kind === 'unix') reaper.watch('file', address.path)
  return {
    fd: socket.fd,
    get intact() {
      return socket.intact
    },
    close: async () => {
      reaper.forget('socket', inode)
      if (address.kind === 'unix') reaper.forget('file', address.path)
      await socket.close()
    },
  }
}

/**
 * Removes a socket that nobody listens on. It is put aside before it is asked, so that of two who do this at once none
 * removes what the other has just made.
 */
async function removeStale(path: string): Promise<void> {
  const aside = hiddenName(path)
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw new FastCGIError('FCGI_LISTEN', `cannot listen on ${path}: it is there and no socket`)
  if (await answers(path)) throw inUse(path)
  renameSync(path, aside)
  if (await answers(aside)) {
    renameSync(aside, path)
    throw inUse(path)
  }
  remove(aside)
}

function inUse(path: string): FastCGIError {
  return new FastCGIError(
    'FCGI_LISTEN',
    `cannot listen on ${path}: somebody else does; end that process, or choose another path (options listen, ipcDir)`,
  )
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // EAGAIN: there is somebody, whose backlog is full.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EAGAIN'))
  })
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone already.
  }
}

/** Another name in the same directory, of which nobody else thinks. */
function hiddenName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(3).toString('hex')}`)
}

function numbered(listen: string): Address {
  const address = parseAddress(listen)
  if (address.kind === 'unix') {
    if (address.path.includes('\n')) throw new OptionError('option listen must not have a line end')
    return address
  }
  // A name would have to be looked up, and might stand for several.
  const host = address.host === 'localhost' ? '127.0.0.1' : address.host
  if (isIP(host) === 0)
    throw new OptionError(`option listen must have an IP address or a path; got ${listen}`)
  return parseAddress(`tcp://${hostPart(host)}:${address.port}`)
}

function hostPart(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** The directory, made when it is not there; nobody else may come in (FastCgiIpcDir). @throws OptionError */
function ensurePrivate(directory: string): string {
  const path = resolve(directory)
  if (path.includes('\n')) throw new OptionError('option ipcDir must not have a line end')
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (lstatSync(path).isDirectory()) return path
  } catch (error) {
    throw new OptionError(`option ipcDir: ${path} cannot be made: ${(error as Error).message}`)
  }
  throw new OptionError(`option ipcDir: ${path} is no directory`)
}
