/** Applications on several loopback addresses and one port, as the pods behind one name are. */

import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import type { Test } from 'tap'
import { Gone, PeerConnection, type PeerRequest, type Script } from './scripted-peer.ts'

/** One application. */
export interface LoopbackPeer {
  readonly host: string
  /** `host:port`, which is also its name as a member. */
  readonly address: string
  readonly requests: PeerRequest[]
  readonly connections: PeerConnection[]
}

/** Starts one application on each host, all on the same port; they end with the test. */
export async function startLoopbackPeers(
  t: Test,
  hosts: readonly string[],
  script: Script,
): Promise<LoopbackPeer[]> {
  for (let attempts = 5; ; attempts--) {
    const servers: Server[] = []
    try {
      const peers: LoopbackPeer[] = []
      let port = 0
      for (const host of hosts) {
        const connections: PeerConnection[] = []
        const requests: PeerRequest[] = []
        const server = createServer((socket) => {
          const connection = new PeerConnection(socket, connections.length, requests)
          connections.push(connection)
          Promise.resolve(script(connection)).catch((error) => {
            if (!(error instanceof Gone)) throw error
          })
        })
        servers.push(server)
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen(port, host, resolve)
        })
        port = (server.address() as AddressInfo).port
        peers.push({ host, address: `${host}:${port}`, requests, connections })
      }
      t.teardown(() => {
        for (const server of servers) server.close()
        for (const { connections } of peers)
          for (const connection of connections) connection.destroy()
      })
      return peers
    } catch (error) {
      for (const server of servers) server.close()
      if (attempts === 1) throw error
    }
  }
}
