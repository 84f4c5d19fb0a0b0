// What the primary process and its workers send each other.
import type { ProcessStatus, StatusSnapshot } from '@fastcgi/gateway/internal'
import type { ListenTarget } from '../http/server.ts'

/** What a worker needs beside the settings, which it loads itself: they may contain functions. */
export interface WorkerStart {
  readonly target: ListenTarget
  /** Addresses of the PHP that the primary has started; undefined if the settings name an upstream. */
  readonly php: readonly string[] | undefined
}

/** From the primary to a worker. */
export type ToWorker =
  | ({ readonly type: 'start' } & WorkerStart)
  /** End after the running requests. */
  | { readonly type: 'end'; readonly closesIdle: boolean }
  /** Send a snapshot. */
  | { readonly type: 'tell'; readonly id: number }
  /** The snapshots of all workers. */
  | {
      readonly type: 'told'
      readonly id: number
      readonly snapshots: readonly StatusSnapshot[]
      /** The PHP that the primary has started. */
      readonly processes: ProcessStatus | undefined
    }

/** From a worker to the primary. */
export type ToPrimary =
  /** It receives messages; those that were sent earlier are lost. */
  | { readonly type: 'receives' }
  | { readonly type: 'ready'; readonly url: string }
  /** It accepts no more connections. */
  | { readonly type: 'closed' }
  /** `code` is that of a system error, or of an OptionError. */
  | { readonly type: 'failed'; readonly message: string; readonly code: string | undefined }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: StatusSnapshot }
  /** Collect the snapshots of all workers. */
  | { readonly type: 'ask'; readonly id: number }
