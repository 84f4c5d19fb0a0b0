/** docs/migrate/mod_fcgid.md: both servers of each pair give the same answers, but for what is listed. */
import t from 'tap'
import { NEEDS_FPM } from '../helpers/php-site.ts'
import { comparePairs, installed } from './compare.ts'
import { readDocument } from './document.ts'
import { needsModule, needsOriginal } from './originals.ts'
import { NEEDS_PERL } from './stage.ts'

const skip =
  needsOriginal('apache2').skip || needsModule('fcgid').skip || NEEDS_FPM.skip || NEEDS_PERL.skip

t.test('pairs', { skip }, (t) => comparePairs(t, readDocument('mod_fcgid'), installed('apache2')))
