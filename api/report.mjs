// Writes what each package exports to api/NAME.api.md, so that a change of it is seen in review: node api/report.mjs.
// --check changes nothing, and fails where a report is not up to date.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const isCheck = process.argv.includes('--check')

const names = readdirSync(join(ROOT, 'packages'))
const changed = names.filter((name) => {
  const before = read(name)
  const after = report(name)
  if (isCheck && before !== undefined) writeFileSync(fileOf(name), before)
  if (isCheck && before === undefined) rmSync(fileOf(name))
  return before !== after
})
for (const name of changed)
  console.log(`${isCheck ? 'not up to date' : 'written'}: api/${name}.api.md`)
if (isCheck && changed.length > 0) {
  console.error('The public surface has changed: npm run api')
  process.exitCode = 1
}

function fileOf(name) {
  return join(HERE, `${name}.api.md`)
}

function read(name) {
  return existsSync(fileOf(name)) ? readFileSync(fileOf(name), 'utf8') : undefined
}

/** Writes the report of a package. @returns it */
function report(name) {
  const packageFolder = join(ROOT, 'packages', name)
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(packageFolder, 'package.json'),
    configObject: {
      projectFolder: packageFolder,
      mainEntryPointFilePath: join(packageFolder, 'dist/index.d.ts'),
      compiler: { tsconfigFilePath: join(packageFolder, 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: HERE,
        reportTempFolder: join(ROOT, 'node_modules/.cache/api'),
        reportVariants: ['complete'],
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: 'none' } },
        // Types that are not exported under a name of their own are listed in the report.
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          'ae-forgotten-export': { logLevel: 'none' },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  })
  const messageCallback = (message) => {
    message.handled = message.logLevel !== 'error'
  }
  const result = Extractor.invoke(config, { localBuild: true, messageCallback })
  if (!result.succeeded) throw new Error(`no report of ${name}`)
  return read(name)
}
