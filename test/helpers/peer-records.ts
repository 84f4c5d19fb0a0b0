/** The bytes that an application sends. */
import { RecordType } from '@fastcgi/protocol'

/** Content of a record. */
export type Content = string | Uint8Array

/** The bytes of one record; nothing is checked, lengths apart. */
export function record(
  type: number,
  content: Content = '',
  { id = 1, padding = 0, version = 1 } = {},
): Buffer {
  const bytes = Buffer.from(content)
  const header = Buffer.from([version, type, 0, 0, 0, 0, padding, 0])
  header.writeUInt16BE(id, 2)
  header.writeUInt16BE(bytes.length, 4)
  return Buffer.concat([header, bytes, Buffer.alloc(padding)])
}

/** The bytes of an END_REQUEST. */
export function endRecord(appStatus = 0, protocolStatus = 0, id = 1): Buffer {
  const content = Buffer.alloc(8)
  content.writeUInt32BE(appStatus)
  content[4] = protocolStatus
  return record(RecordType.END_REQUEST, content, { id })
}

/** STDOUT of any length, cut into records. */
export function stdoutRecords(content: Content, id = 1): Buffer {
  const bytes = Buffer.from(content)
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65_528)
    records.push(record(RecordType.STDOUT, bytes.subarray(at, at + 65_528), { id }))
  return Buffer.concat(records)
}

/** A whole response with a head of one field. */
export function response(body: Content = 'ok', id = 1): Buffer {
  return Buffer.concat([
    stdoutRecords('Content-Type: text/plain\r\n\r\n', id),
    stdoutRecords(body, id),
  ])
}
