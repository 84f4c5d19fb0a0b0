/** Judges replies. */
import type { Report } from '../report.ts'
import type { Reply } from './exchange.ts'

/** Responses up to this size leave PHP in one piece: they come whole, or nothing comes and the next member is asked. */
export const ONE_PIECE = 6000

/** A GET, whose body is known. One of more than one piece may be cut off when its process is killed. */
export function judgeGet(
  report: Report,
  what: string,
  reply: Pick<Reply, 'status' | 'body' | 'end' | 'error'>,
  expected: Buffer,
  status = 200,
): void {
  report.count(what)
  if (reply.end === 'whole' && reply.status === status) {
    if (!reply.body.equals(expected)) report.fault('truncated', tell(what, reply))
    return
  }
  if (reply.end === 'cut' && reply.status === status && expected.length > ONE_PIECE)
    report.count('long responses cut off, and seen to be')
  else report.fault(reply.end === 'late' ? 'hangs' : 'failedGets', tell(what, reply))
}

/** What may fail with its member, but not answer wrongly. True when it was answered with 200, whole. */
export function judgePost(report: Report, what: string, reply: Reply, expected: string): boolean {
  report.count(what)
  if (reply.end === 'late') report.fault('hangs', tell(what, reply))
  const answered = reply.end === 'whole' && reply.status === 200
  if (!answered) report.count(`${what}: refused, failed or cut off`)
  else if (reply.body.toString() !== expected) report.fault('truncated', tell(what, reply))
  return answered
}

export function tell(
  what: string,
  { status, end, error, body }: Pick<Reply, 'status' | 'body' | 'end' | 'error'>,
): string {
  const text = status === 200 ? `${body.length} bytes` : body.toString('latin1').slice(0, 100)
  return `${what}: ${status} ${end} ${error} ${text}`
}
