/** What the READMEs show is run. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runDocuments, WORKSPACE } from '../helpers/documents.ts'

const packages = readdirSync(join(WORKSPACE, 'packages'))
runDocuments(['README.md', ...packages.map((name) => `packages/${name}/README.md`)])
