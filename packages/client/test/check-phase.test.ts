/** What is left for the end of a turn is done in it, in order, whoever fails. */
import t from 'tap'
import { runInCheckPhase } from './internals.ts'

t.test('in order, and what comes to it on the way', async (t) => {
  const done: string[] = []
  const task = (name: string, then = () => {}) => ({
    onCheckPhase: () => {
      done.push(name)
      then()
    },
  })
  runInCheckPhase(task('a', () => runInCheckPhase(task('c'))))
  runInCheckPhase(task('b'))
  t.same(done, [])
  process.nextTick(() => t.same(done, [], 'not before the turn ends'))
  await new Promise((resolve) => setImmediate(resolve))
  t.same(done, ['a', 'b', 'c'])
})

t.test('one that throws does not keep the others from being done', async (t) => {
  const done: string[] = []
  const failed = new Promise<Error>((resolve) => {
    t.teardown(() => process.removeAllListeners('uncaughtException'))
    process.removeAllListeners('uncaughtException').once('uncaughtException', resolve)
  })
  runInCheckPhase({
    onCheckPhase: () => {
      throw new Error('of the first')
    },
  })
  runInCheckPhase({ onCheckPhase: () => done.push('second') })
  t.equal((await failed).message, 'of the first')
  await new Promise((resolve) => setImmediate(resolve))
  t.same(done, ['second'])
})
