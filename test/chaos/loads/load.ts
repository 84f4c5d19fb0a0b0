import type { Random } from '../../helpers/random.ts'
import type { Report } from '../report.ts'

/** What a load works with. */
export interface LoadContext {
  port: number
  random: Random
  report: Report
  /** A word that no other request has. */
  id(): string
}

/** Sends one request, or a few, and judges what comes back; resolves when that has ended. */
export type Load = (context: LoadContext) => Promise<void>
