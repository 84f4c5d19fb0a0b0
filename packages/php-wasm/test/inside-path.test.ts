/** Paths as PHP sees them. */
import t from 'tap'
import { insidePath } from './internals.ts'

t.test('a drive of Windows is a directory', async (t) => {
  t.equal(insidePath('C:\\site\\index.php', 'win32'), '/C:/site/index.php')
  t.equal(insidePath('D:/site', 'win32'), '/D:/site')
  t.equal(insidePath('/already/there', 'win32'), '/already/there')
})

t.test('elsewhere paths stay as they are', async (t) => {
  t.equal(insidePath('/srv/C:\\x', 'linux'), '/srv/C:\\x')
})
