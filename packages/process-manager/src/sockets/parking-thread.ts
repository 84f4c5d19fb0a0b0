/**
 * The thread that holds listening sockets. It runs on command only and never gets back to its event loop, so nobody in
 * this process ever polls or accepts on them; their file descriptors, which belong to the whole process, are handed to
 * children. They outlive every child: who connects while one is replaced waits in the backlog instead of being refused.
 */
import { chmodSync, chownSync, linkSync, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { ParkingAnswer, ParkingCommand, ParkingData, SocketToOpen } from './parking.ts'

/** The one thing of Node that is not documented: the number of a server's file descriptor. */
interface ServerWithHandle {
  _handle: { fd: number } | null
}

const { port, signal } = workerData as ParkingData
const open = new Map<number, Server>()

/** Obeys until the end. An 'listening' or 'error' comes as a tick of the very turn that `listen` was called in. */
function obey(answers: MessagePort): void {
  for (;;) {
    const received = receiveMessageOnPort(answers)
    if (received === undefined) {
      Atomics.wait(signal, 0, 0)
      Atomics.store(signal, 0, 0)
      continue
    }
    const command = received.message as ParkingCommand
    if (command.open === undefined) {
      open.get(command.id)?.close()
      open.delete(command.id)
      answer({ id: command.id })
      continue
    }
    listen(command.id, command.open)
    return
  }
}

function listen(id: number, socket: SocketToOpen): void {
  const server = createServer()
  const fail = ({ code, message }: NodeJS.ErrnoException): void => {
    answer({ id, error: { code, message } })
    obey(port)
  }
  server.once('error', fail)
  server.once('listening', () => {
    server.off('error', fail)
    try {
      if (socket.kind === 'unix') publish(socket)
      const fd = (server as unknown as ServerWithHandle)._handle?.fd
      if (fd === undefined || fd < 0) throw new Error('this runtime tells no file descriptor')
      open.set(id, server)
      answer({ id, fd })
    } catch (error) {
      server.close()
      answer({ id, error: { code: (error as NodeJS.ErrnoException).code, message: String(error) } })
    }
    obey(port)
  })
  const { backlog } = socket
  if (socket.kind === 'unix') server.listen({ path: socket.hidden, backlog, exclusive: true })
  else server.listen({ host: socket.host, port: socket.port, backlog, exclusive: true })
}

/**
 * Gives a socket its name when its mode and owner are right. A link, unlike a renaming, takes nobody's name away. And
 * closing it will remove the hidden name, as libuv does, and not the other.
 */
function publish({ hidden, path, mode, uid, gid }: SocketToOpen & { kind: 'unix' }): void {
  try {
    chmodSync(hidden, mode)
    if (uid !== undefined && gid !== undefined) chownSync(hidden, uid, gid)
    linkSync(hidden, path)
  } finally {
    unlinkSync(hidden)
  }
}

function answer(message: ParkingAnswer): void {
  port.postMessage(message)
}

obey(port)
