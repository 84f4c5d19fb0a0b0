/** Request bodies that went through a temporary file leave nothing behind. */
import { readdirSync, readlinkSync } from 'node:fs'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const SIZE = 100_000

/** Temporary files of bodies that this process has open. */
function openSpools(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /\/fastcgi-[0-9a-f-]+ \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

const linux = { skip: process.platform === 'linux' ? false : 'needs /proc' }

t.test('the file is closed', linux, async (t) => {
  const answers = {
    // As PHP: it reads CONTENT_LENGTH bytes and does not wait for the empty STDIN behind them.
    'as soon as the last byte was there': (length: number) => length >= SIZE,
    'long before the last byte': (length: number) => length > 0,
  }
  for (const [name, enough] of Object.entries(answers))
    await eachAdapter(t, `when the application answers ${name}`, async (t, adapter) => {
      const script = eachRequest(async (request, connection) => {
        await until('enough of STDIN', () => enough(request.stdinLength))
        connection.write(stdoutRecords('X-A: 1\r\n\r\nok'), endRecord())
      })
      const { app } = await behind(t, adapter, script)
      const head = 'POST /x.php HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n'
      const body = `${SIZE.toString(16)}\r\n${'x'.repeat(SIZE)}\r\n0\r\n\r\n`
      for (let n = 0; n < 5; n++) {
        const { status } = await rawRequest(app.port, `${head}Connection: close\r\n\r\n${body}`)
        t.equal(status, 200)
      }
      await until('the files being closed', () => openSpools() === 0)
    })
})
