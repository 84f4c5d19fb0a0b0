/** The mount point itself, with and without its slash. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
writeFileSync(join(root, 'index.php'), '')
t.teardown(() => rmSync(root, { recursive: true, force: true }))

eachAdapter(t, 'the mount point is a directory', async (t, adapter) => {
  const peer = await startPeer(wellBehaved((request) => `${request.params.SCRIPT_NAME}`))
  t.teardown(() => peer.close())
  const prefix = adapter === 'http' ? '' : '/shop'
  const app = await startAdapter(t, adapter, { upstream: peer.address, root, prefix })
  const inside = await rawGet(app.port, `${prefix}/?a=b`)
  t.match(inside, { status: 200, body: new RegExp(`${prefix}/index\\.php`) })
  if (prefix === '') return
  const bare = await rawGet(app.port, '/shop?a=b')
  // Relative links of the index would lead out of it.
  t.match(bare, { status: 301, headers: { location: '/shop/?a=b' } })
})
