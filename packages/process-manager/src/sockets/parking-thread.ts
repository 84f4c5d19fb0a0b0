/**
 * Worker thread that opens and holds ("parks") the listening sockets of processes. Node accepts connections on every
 * socket it listens on as soon as its event loop polls; here that must not happen, because the children are to accept.
 * So this thread never returns to its event loop: it waits for commands in Atomics.wait(), and handles each one
 * synchronously. File descriptors belong to the whole process, so the main thread can pass them to children. Since the
 * sockets outlive the children, a connection made while a child is being replaced waits in the backlog.
 */
import { chmodSync, chownSync, linkSync, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { ParkingCommand, ParkingData, ParkingReply, SocketToOpen } from './parking.ts'

/** Undocumented part of net.Server that has the file descriptor. */
interface ServerWithHandle {
  _handle: { fd: number } | null
}

const { port, signal } = workerData as ParkingData
const open = new Map<number, Server>()

/**
 * Handles commands until the thread is terminated. To open a socket it has to return, so that Node can emit 'listening'
 * or 'error'; both come as ticks of the same turn of the event loop, before it polls, and their listeners call this again.
 */
function handleCommands(commands: MessagePort): void {
  for (;;) {
    const received = receiveMessageOnPort(commands)
    if (received === undefined) {
      Atomics.wait(signal, 0, 0)
      Atomics.store(signal, 0, 0)
      continue
    }
    const command = received.message as ParkingCommand
    if (command.open === undefined) {
      open.get(command.id)?.close()
      open.delete(command.id)
      reply({ id: command.id })
      continue
    }
    listen(command.id, command.open)
    return
  }
}

function listen(id: number, socket: SocketToOpen): void {
  const server = createServer()
  const fail = ({ code, message }: NodeJS.ErrnoException): void => {
    reply({ id, error: { code, message } })
    handleCommands(port)
  }
  server.once('error', fail)
  server.once('listening', () => {
    server.off('error', fail)
    try {
      if (socket.kind === 'unix') publish(socket)
      const fd = (server as unknown as ServerWithHandle)._handle?.fd
      if (fd === undefined || fd < 0)
        throw new Error(
          'this version of Node.js does not reveal the file descriptor of a listening socket',
        )
      open.set(id, server)
      reply({ id, fd })
    } catch (error) {
      server.close()
      reply({ id, error: { code: (error as NodeJS.ErrnoException).code, message: String(error) } })
    }
    handleCommands(port)
  })
  const { backlog } = socket
  if (socket.kind === 'unix')
    server.listen({ path: socket.temporaryPath ?? socket.path, backlog, exclusive: true })
  else server.listen({ host: socket.host, port: socket.port, backlog, exclusive: true })
}

/**
 * Sets mode and owner of a socket, and then makes it visible at its path, unless it was bound to that. link() is used instead of rename() for two reasons:
 * it fails if the path exists, instead of replacing another program's socket; and libuv, which unlinks the path it has
 * bound when the socket is closed, then unlinks only the temporary one.
 */
function publish({ temporaryPath, path, mode, uid, gid }: SocketToOpen & { kind: 'unix' }): void {
  const bound = temporaryPath ?? path
  try {
    chmodSync(bound, mode)
    if (uid !== undefined && gid !== undefined) chownSync(bound, uid, gid)
    if (temporaryPath !== undefined) linkSync(temporaryPath, path)
  } finally {
    if (temporaryPath !== undefined) unlinkSync(temporaryPath)
  }
}

function reply(message: ParkingReply): void {
  port.postMessage(message)
}

handleCommands(port)
