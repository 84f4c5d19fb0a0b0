// Chooses the port to listen on, and says why a port cannot be had.
import { type AddressInfo, createServer } from 'node:net'
import type { Listen } from '../settings/settings.ts'

/** Ports that are tried after the first one. */
const MORE_PORTS = 99

/** A port that is free now: the given one, or, with `search`, the first one from there on. @throws an error that says what to do */
export async function choosePort({ host, port, search }: Listen): Promise<number> {
  for (let candidate = port; ; candidate++) {
    try {
      return await tryPort(host, candidate)
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!isTaken || !search || candidate >= port + MORE_PORTS)
        throw listenError(error as NodeJS.ErrnoException, host, candidate)
    }
  }
}

/** Listens for a moment. */
function tryPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const { port: chosen } = server.address() as AddressInfo
      server.close(() => resolve(chosen))
    })
  })
}

const REASONS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) =>
    `port ${port} on ${host} is taken by another program; choose another one (option --port), or none: then the first free one from 8080 on is taken`,
  EACCES: (_host, port) =>
    `port ${port} may only be used by root; choose one from 1024 on (option --port)`,
  EADDRNOTAVAIL: (host) => `${host} is no address of this machine (option --listen)`,
  ENOTFOUND: (host) => `the name ${host} is unknown (option --listen)`,
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reason = REASONS[error.code ?? '']?.(host, port) ?? error.message
  return new Error(reason, { cause: error })
}
