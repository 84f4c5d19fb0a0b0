import { RecordReader } from '@fastcgi/protocol'
import t from 'tap'
import { chunkings } from './chunking.ts'

/** What peers of other protocols send first. */
const PEERS: ReadonlyArray<readonly [string, string | undefined]> = [
  ['HTTP/1.1 400 Bad Request\r\n\r\n', 'HTTP'],
  ['\x15\x03\x01\x00\x02\x02\x46 and more', 'TLS'],
  ['\x00\x00\x12\x04\x00\x00\x00\x00\x00', 'HTTP/2'],
  ['Status: 200 OK\r\n\r\n', 'CGI or SCGI'],
  ['SSH-2.0-OpenSSH_9.2\r\n', 'SSH'],
  ['220 mail.example ESMTP\r\n', 'SMTP or FTP'],
  ['-ERR unknown command\r\n', 'Redis'],
  ['<!doctype html>', 'HTML or XML without a protocol'],
  ['something else', undefined],
]

for (const [text, speaks] of PEERS)
  t.test(`${JSON.stringify(text)}: ${speaks}`, async (t) => {
    for (const { chunks } of chunkings(Buffer.from(text, 'latin1'))) {
      const reader = new RecordReader({ onStream() {}, onStreamEnd() {}, onMessage() {} })
      const push = (): void => {
        for (const chunk of chunks) reader.push(chunk)
      }
      t.throws(push, { code: 'FCGI_PROTOCOL', version: text.charCodeAt(0), speaks })
    }
  })
