/** Last-Modified is never later than Date (RFC 9110 §8.8.2.1). */
import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { eachRequest } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'
import { temporary } from '../helpers/web-server.ts'

nothingEscapes()

const TOMORROW = new Date(Date.now() + 86_400_000)
const PAST = 'Tue, 04 Feb 2003 04:05:06 GMT'

eachAdapter(t, 'a file that was changed in the future', async (t, name) => {
  const root = temporary(t)
  const file = join(root, 'a.txt')
  writeFileSync(file, 'text')
  utimesSync(file, TOMORROW, TOMORROW)
  const { get } = await behind(t, name, () => {}, { root, checkLocal: true, static: true })
  const { status, headers } = await within('the file', get('/a.txt'))
  t.equal(status, 200)
  const changed = Date.parse(headers['last-modified'] ?? '')
  t.ok(changed <= Date.parse(headers.date ?? ''), `${headers['last-modified']}, ${headers.date}`)
  const later = [`If-Modified-Since: ${TOMORROW.toUTCString()}`]
  t.equal((await within('condition', get('/a.txt', later))).status, 304)
})

eachAdapter(t, 'a response of an application', async (t, name) => {
  let value = ''
  const script = eachRequest((_request, connection) => {
    connection.write(whole(`Content-Type: text/plain\r\nLast-Modified: ${value}\r\n\r\n`, 'text'))
  })
  const { get } = await behind(t, name, script)
  value = TOMORROW.toUTCString()
  const { headers } = await within('response', get())
  t.ok(Date.parse(headers['last-modified'] ?? '') <= Date.parse(headers.date ?? ''))
  for (value of [PAST, 'yesterday'])
    t.equal((await within('response', get())).headers['last-modified'], value, 'stays')
})
