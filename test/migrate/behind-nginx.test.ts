/** "nginx stays in front" of docs/migrate/nginx.md: the app behind nginx answers as it does on its own, and nginx sends files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'
import { NEEDS_FPM } from '../helpers/php-site.ts'
import { freePort } from '../helpers/programs.ts'
import { viewed } from './compare.ts'
import { blocksOf } from './document.ts'
import { needsOriginal, startOriginal } from './originals.ts'
import { startOurs } from './ours.ts'
import { REQUESTS } from './requests.ts'
import { buildStage } from './stage.ts'

const SHOWN_PORT = '4000'
const skip = needsOriginal('nginx').skip || NEEDS_FPM.skip

t.test('nginx in front of an app', { skip }, async (t) => {
  const text = readFileSync(join(WORKSPACE, 'docs/migrate/nginx.md'), 'utf8')
  const [, part = ''] = text.split(/^<!-- behind: nginx -->$/m)
  const [nginx, app] = blocksOf(part)
  if (nginx?.language !== 'nginx' || app?.language !== 'js')
    throw new Error('the blocks are missing')
  const stage = await buildStage(t, [])
  const port = await freePort()
  const place = (code: string): string =>
    stage.adapt(code, 'original').replaceAll(SHOWN_PORT, String(port))
  await startOurs(t, place(app.code), port)
  const http = await startOurs(t, app.code.replace('@fastcgi/application', 'node:http'), SHOWN_PORT)
  const front = await startOriginal(t, 'nginx', place(nginx.code), `${stage.directory}/nginx`)

  const { behind = [], 'behind-files': files = [] } = REQUESTS
  t.ok(behind.length + files.length >= 20)
  for (const request of behind) {
    const [through, direct] = [
      await viewed(request, front.port, stage),
      await viewed(request, http, stage),
    ]
    t.strictSame(through, direct, request.label)
  }
  for (const request of files) {
    const { status, fields } = await viewed(request, front.port, stage)
    t.ok([200, 206, 304].includes(status), `${request.label}: ${status}`)
    t.notOk('x-app' in fields, `${request.label} is not the app's`)
  }
})
