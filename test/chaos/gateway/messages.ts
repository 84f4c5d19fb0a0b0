/** What the driver and the gateway process say to each other. */
import type { AdapterName } from '../../helpers/adapters.ts'

/** Members of the outer balancer. */
export const MEMBERS = ['manager', 'pools', 'discovered', 'plain'] as const
export type MemberName = (typeof MEMBERS)[number]

/** What the gateway is started with. */
export interface Setup {
  adapter: AdapterName
  /** Document root. */
  root: string
  /** What scripts write to, and files to hand over. */
  directory: string
  phpCgi: string
  /** Addresses of the php-fpm pools. */
  pools: readonly string[]
  /** A host and port, and the name server that knows the host. */
  discover: { name: string; server: string }
  plain: string
  /** Address of the application that sends mutated responses. */
  mutated: string
}

export interface MemberChange {
  kind: 'drain' | 'remove' | 'add'
  balancer: 'outer' | 'pools'
  member: string
}

export type Command = { kind: 'figures' } | { kind: 'memory' } | { kind: 'restart' } | MemberChange

/** How the gateway fares. */
export interface Figures {
  /** Connections of HTTP clients. */
  clients: number
  /** Requests under way or waiting, at all upstreams. */
  underWay: number
  /** States of the processes that the manager keeps. */
  processes: readonly string[]
  /** Lines that the gateway has logged since the last time. */
  log: readonly string[]
  /** Warnings of Node.js, such as those of too many listeners. */
  warnings: readonly string[]
}

export interface Answer {
  id: number
  value?: unknown
  error?: string
}
