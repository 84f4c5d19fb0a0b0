/** What the documents show is run, and what is said about the examples. */
import { listMarkdown, runDocuments } from '../helpers/documents.ts'

const examples = listMarkdown('examples').filter((path) => path.endsWith('README.md'))
runDocuments([...listMarkdown('docs'), ...examples])
