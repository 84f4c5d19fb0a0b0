/** The queue of a pool: order, deadlines, and that nothing of what has left it is kept. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { RequestQueue } from './internals.ts'

class Item {
  readonly name: string
  expiresAt: number | undefined
  previous: this | undefined
  next: this | undefined

  constructor(name: string) {
    this.name = name
  }
}

function queueOf(timeout: number, onExpired: (item: Item) => void = () => {}) {
  const queue = new RequestQueue<Item>(timeout, onExpired)
  const items = [...'abcdef'].map((name) => new Item(name))
  for (const item of items) queue.push(item, performance.now())
  const order = (): string => {
    const names: string[] = []
    for (let item = queue.first; item !== undefined; item = item.next) names.push(item.name)
    return names.join('')
  }
  return { queue, items, order }
}

t.test('first come, first served, whoever leaves in between', async (t) => {
  const { queue, items, order } = queueOf(0)
  const [a, b, , d, , f] = items
  if (!a || !b || !d || !f) throw new Error('items')
  queue.remove(d)
  t.equal(order(), 'abcef')
  queue.remove(d)
  t.equal(queue.size, 5, 'who is not in it cannot leave it')
  queue.remove(f)
  queue.push(d, 0)
  t.equal(order(), 'abced')
  t.equal(queue.shift(), a)
  queue.remove(b)
  t.equal(order(), 'ced')
  for (const gone of [a, b, f])
    t.same([gone.expiresAt, gone.previous, gone.next], [undefined, undefined, undefined])
  while (queue.shift() !== undefined);
  t.equal(queue.size, 0)
  t.equal(queue.first, undefined)
  queue.push(a, 0)
  t.equal(order(), 'a', 'and begins anew')
})

t.test('each waits for its own time', async (t) => {
  const expired: string[] = []
  let resolve: () => void = () => {}
  const all = new Promise<void>((done) => {
    resolve = done
  })
  const { queue, items } = queueOf(30, (item) => {
    expired.push(item.name)
    // As somebody does whose request has failed.
    if (item.name === 'a') queue.push(new Item('x'), performance.now())
    if (item.name === 'x') resolve()
  })
  const [, b, c] = items
  if (!b || !c) throw new Error('items')
  queue.remove(b)
  queue.remove(c)
  queue.push(c, performance.now() + 15)
  // The queue's timer holds up nobody, so somebody else has to.
  const awake = setTimeout(() => {}, 10_000)
  await all
  clearTimeout(awake)
  t.equal(expired.filter((name) => name !== 'c').join(''), 'adefx')
  t.ok(expired.includes('c'))
  t.equal(queue.size, 0)
})

t.test('what has left is garbage', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { queue } = queueOf(0)
  const gone: Array<WeakRef<Item>> = []
  for (let n = 0; n < 1000; n++) {
    const item = new Item(String(n))
    gone.push(new WeakRef(item))
    queue.push(item, 0)
    queue.shift()
  }
  for (let n = 0; n < 6; n++) queue.shift()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  t.ok(gone.slice(0, 900).every((item) => item.deref() === undefined))
})
