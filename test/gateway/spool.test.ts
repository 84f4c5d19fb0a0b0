/** Request bodies that went through a temporary file leave nothing behind. */
import { type FileHandle, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import { openFiles } from '../helpers/open-files.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { delay, until } from '../helpers/wait.ts'

const SIZE = 100_000

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
      await until('the files being closed', () => openFiles() === 0)
    })
})

/** Delays every write to a file by so many milliseconds. */
async function delayFileWrites(t: Test, milliseconds: number): Promise<void> {
  const handle = await open(fileURLToPath(import.meta.url))
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const { write } = prototype
  prototype.write = async function delayed(this: FileHandle, ...args: never[]) {
    await delay(milliseconds)
    return Reflect.apply(write, this, args)
  } as typeof write
  t.teardown(() => {
    prototype.write = write
  })
}

t.test('a slow disk is not taken for a slow client', async (t) => {
  await delayFileWrites(t, 600)
  await eachAdapter(t, 'every byte arrives', async (t, adapter) => {
    const script = eachRequest(async (request, connection) => {
      const { length } = await request.stdin()
      connection.write(stdoutRecords(`X-Length: ${length}\r\n\r\n`), endRecord())
    })
    const { app } = await behind(t, adapter, script, { timeouts: { body: 300 } })
    const head = 'POST /x.php HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n'
    const body = `${SIZE.toString(16)}\r\n${'x'.repeat(SIZE)}\r\n0\r\n\r\n`
    const { status, headers } = await rawRequest(
      app.port,
      `${head}Connection: close\r\n\r\n${body}`,
    )
    t.strictSame([status, headers['x-length']], [200, String(SIZE)])
    t.strictSame(app.log, [])
  })
})
