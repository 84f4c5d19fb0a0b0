// Addresses and life of the listening sockets of processes.
import { randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, unlinkSync } from 'node:fs'
import { connect, isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { type Address, FastCGIError, OptionError, parseAddress } from '@fastcgi/client'
import { reaper } from '../spawning/reaper.ts'
import { type ParkedSocket, park } from './parking.ts'

/** Maximum length of a socket path in bytes: sun_path has 108 on Linux, 104 on macOS and the BSDs, with the final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

/** Properties of a listening socket. */
export interface SocketSettings {
  /** Maximum number of connections that wait to be accepted, see listen(2). */
  readonly backlog: number
  /** File mode of a unix socket. */
  readonly mode: number
  /** Owner of a unix socket; changing it needs root. @default this process's */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /**
   * Whether only this process creates files in its directory. The socket is then bound to its path, so that
   * /proc/net/unix lists that path, by which systemd-tmpfiles tells sockets in use from stale ones.
   * @default false: it is bound to a temporary path, and gets its own when its mode and owner are set
   */
  readonly exclusive?: boolean | undefined
}

/** The listening sockets of an application: one for each process, with the number of the process in its address. */
export class ListenSockets {
  readonly #base: Address
  readonly #settings: SocketSettings
  #ownDirectory: string | undefined
  readonly #directory: string | undefined

  /**
   * @param listen base of their addresses; undefined: unix sockets called `name` in `directory`.
   * @param directory directory of the sockets; undefined: a temporary one, which remove() removes.
   * @throws OptionError
   */
  constructor(
    name: string,
    listen: string | undefined,
    directory: string | undefined,
    settings: SocketSettings,
  ) {
    this.#settings = settings
    if (listen !== undefined) this.#base = parseBaseAddress(listen)
    else {
      const path = directory === undefined ? this.#makeDirectory() : ensureDirectory(directory)
      this.#directory = path
      const file = join(path, name.replaceAll(/[^\w.-]/g, '_').slice(0, 40))
      this.#base = { kind: 'unix', path: file, name: `unix:${file}` }
    }
    // Fails now, not at the first start, if the path is too long or the port too high.
    this.address(9999)
  }

  /** Address of the process with that number. @throws OptionError for a path that is too long, or a port over 65535. */
  address(number: number): Address {
    const base = this.#base
    if (base.kind !== 'unix')
      return parseAddress(`tcp://${hostPart(base.host)}:${base.port + number}`)
    const path = `${base.path}-${number}`
    const length = Buffer.byteLength(temporaryName(path))
    if (length > MAX_SOCKET_PATH)
      throw new OptionError(
        `process manager: the path ${path} is too long for a socket: with its temporary suffix it has ${length} bytes, the maximum is ${MAX_SOCKET_PATH} (options ipcDir, listen)`,
      )
    return parseAddress(`unix:${path}`)
  }

  /** Opens the socket of the process with that number. @throws FastCGIError `FCGI_LISTEN` if its address is in use. */
  async open(number: number): Promise<ParkedSocket> {
    const exclusive = this.#ownDirectory !== undefined
    if (exclusive) this.#ensureOwnDirectory()
    else if (this.#directory !== undefined) ensureDirectory(this.#directory)
    return await openWatchedSocket(this.address(number), { ...this.#settings, exclusive })
  }

  /** Removes the temporary directory. */
  remove(): void {
    if (this.#ownDirectory === undefined) return
    try {
      rmdirSync(this.#ownDirectory)
    } catch {
      // It is not empty, or has been removed already.
    }
    reaper.unwatch('directory', this.#ownDirectory)
  }

  /** Creates the temporary directory again if it has been removed. @throws FastCGIError `FCGI_LISTEN` */
  #ensureOwnDirectory(): void {
    const path = this.#ownDirectory ?? ''
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) {
      mkdirSync(path, { mode: 0o700 })
      return
    }
    // Anybody may create a directory of that name in the meantime.
    const owner = BigInt(process.geteuid?.() ?? 0)
    if (!stats.isDirectory() || stats.uid !== owner)
      throw new FastCGIError(
        'FCGI_LISTEN',
        `cannot listen in ${path}: the directory was removed, and another user has created it again`,
      )
  }

  #makeDirectory(): string {
    const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
    reaper.watch('directory', path)
    this.#ownDirectory = path
    return path
  }
}

/** Opens a listening socket. A stale unix socket, on which no program listens any more, is replaced. @throws FastCGIError `FCGI_LISTEN` */
export async function openSocket(
  address: Address,
  { backlog, mode, owner, exclusive = false }: SocketSettings,
): Promise<ParkedSocket> {
  refuseEncrypted(address)
  if (address.kind !== 'unix')
    return await park({ kind: 'tcp', host: address.host, port: address.port, backlog })
  const { path } = address
  await removeStale(path)
  const socket = await park({
    kind: 'unix',
    path,
    temporaryPath: exclusive ? undefined : temporaryName(path),
    mode,
    ...owner,
    backlog,
  })
  const file = fileOf(path)
  const named = (): boolean => file !== undefined && fileOf(path) === file
  return {
    fd: socket.fd,
    inode: socket.inode,
    get intact() {
      return socket.intact && named()
    },
    close: async () => {
      if (named()) remove(path)
      await socket.close()
    },
  }
}

/** As openSocket; the reaper removes the socket and ends its programs if this process dies. @throws FastCGIError `FCGI_LISTEN` */
export async function openWatchedSocket(
  address: Address,
  settings: SocketSettings,
): Promise<ParkedSocket> {
  const socket = await openSocket(address, settings)
  const { inode = '' } = socket
  reaper.watch('socket', inode)
  if (address.kind === 'unix') reaper.watch('file', address.path)
  return {
    fd: socket.fd,
    inode,
    get intact() {
      return socket.intact
    },
    close: async () => {
      reaper.unwatch('socket', inode)
      if (address.kind === 'unix') reaper.unwatch('file', address.path)
      await socket.close()
    },
  }
}

/**
 * Removes a socket on which no program listens. It is renamed before the decisive check: with a check followed by unlink(),
 * two processes doing this at once could each remove the socket that the other has just created.
 */
async function removeStale(path: string): Promise<void> {
  const aside = temporaryName(path)
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw new FastCGIError(
      'FCGI_LISTEN',
      `cannot listen on ${path}: the path exists and is not a socket`,
    )
  if (await isListening(path)) throw inUse(path)
  renameSync(path, aside)
  try {
    if (await isListening(aside)) throw inUse(path)
  } catch (error) {
    renameSync(aside, path)
    throw error
  }
  remove(aside)
}

function inUse(path: string): FastCGIError {
  return new FastCGIError(
    'FCGI_LISTEN',
    `cannot listen on ${path}: somebody else does; end that process, or choose another path (options listen, ipcDir)`,
  )
}

/** Whether a connection to the socket is accepted, or would be. @throws FastCGIError `FCGI_LISTEN` if it cannot be told. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      // EAGAIN: a program listens, but its backlog is full.
      if (code === 'EAGAIN') resolve(true)
      else if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false)
      else
        reject(
          new FastCGIError(
            'FCGI_LISTEN',
            `cannot listen on ${path}: cannot tell whether somebody else does: ${message}`,
          ),
        )
    })
  })
}

/** Identifies the file of a path; undefined if there is none, or none that can be seen. */
function fileOf(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It has been removed already.
  }
}

/** A random name in the same directory. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(3).toString('hex')}`)
}

/** @throws OptionError for `fcgis://`: the programs that are started speak no TLS on the sockets they inherit. */
function refuseEncrypted({ kind, name }: Address): void {
  if (kind === 'tls')
    throw new OptionError(
      `option listen must not be encrypted, got ${name}; write host:port, and let a TLS terminator listen on the other one`,
    )
}

function parseBaseAddress(listen: string): Address {
  const address = parseAddress(listen)
  refuseEncrypted(address)
  if (address.kind === 'unix') {
    if (address.path.includes('\n'))
      throw new OptionError('option listen must not contain a line end')
    return address
  }
  // A host name would have to be resolved, and may have several addresses.
  const host = address.host === 'localhost' ? '127.0.0.1' : address.host
  if (isIP(host) === 0)
    throw new OptionError(
      `option listen must have an IP address or a path, not a host name; got ${listen}`,
    )
  return parseAddress(`tcp://${hostPart(host)}:${address.port}`)
}

function hostPart(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Creates the directory with mode 0700 if it is missing (mod_fastcgi FastCgiIpcDir). @throws OptionError */
function ensureDirectory(directory: string): string {
  const path = resolve(directory)
  if (path.includes('\n')) throw new OptionError('option ipcDir must not contain a line end')
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (lstatSync(path, { bigint: true }).isDirectory()) return path
  } catch (error) {
    throw new OptionError(`option ipcDir: cannot create ${path}: ${(error as Error).message}`)
  }
  throw new OptionError(`option ipcDir: ${path} is not a directory`)
}
