// The stores of a ring as they are given: what is taken, and what an error says of what is not.
import test from 'ava'
import type { InvalidOptionError } from '../../../src/index.ts'
import { check } from '../../../src/router/checking.ts'
import type { RouterOptions } from '../../../src/router/options.ts'

const of = (store: unknown) => check({ store } as RouterOptions, '0')

test('a list of stores is a ring, whose nodes are called after their places', t => {
  const { servers, ring } = of(['redis://a', 'redis://:secret@b:7000', 'unix:///run/c.sock'])
  t.deepEqual(
    servers?.map(({ host, port, password }) => [host, port, password]),
    [
      ['a', 6379, undefined],
      ['b', 7000, 'secret'],
      ['/run/c.sock', 0, undefined],
    ],
  )
  t.deepEqual(ring, {
    nodes: [
      { name: 'a:6379', weight: 1 },
      { name: 'b:7000', weight: 1 },
      { name: '/run/c.sock', weight: 1 },
    ],
    whenDown: 'refuse',
    hashTags: 1,
  })
})

test('names and weights stand in an object or behind the URL', t => {
  const { ring } = of({
    ring: ['redis://a,weight=2.5,name=one', { url: 'redis://b', name: 'two', weight: 3 }],
    whenDown: 'next',
    hashTags: false,
  })
  t.deepEqual(ring, {
    nodes: [
      { name: 'one', weight: 2.5 },
      { name: 'two', weight: 3 },
    ],
    whenDown: 'next',
    hashTags: 0,
  })
})

test('an error says which store is wrong and why, and shows no password', t => {
  for (const [store, option, message] of [
    [[], 'store', /0 of them/],
    [{ ring: [] }, 'store.ring', /0 of them/],
    [{ ring: 'redis://a' }, 'store.ring', /a list of stores/],
    [Array.from({ length: 65 }, (_, at) => `redis://h${at}`), 'store', /65 of them/],
    [['redis://a', 7], 'store[1]', /a URL, or an object/],
    [['redis://a', 'http://b'], 'store[1]', /http:/],
    [['redis://a', { url: 'redis://:hidden@b/7' }], 'store[1].url', /nothing follows the place/],
    [['redis://a', { name: 'b' }], 'store[1].url', /undefined/],
    [['redis://a', { url: 'redis://b', wait: 1 }], 'store[1].wait', /unknown option/],
    [['redis://a', 'redis://:hidden@a:6379'], 'store[1]', /store\[0\], not 'a:6379'/],
    [['redis://a,name=x', 'redis://b,name=x'], 'store[1].name', /no other store has, not 'x'/],
    [['redis://a', 'redis://b,weight=0'], 'store[1].weight', /above 0/],
    [['redis://a', 'redis://b,weight=lots'], 'store[1].weight', /lots/],
    [['redis://a', { url: 'redis://b', weight: -1 }], 'store[1].weight', /-1/],
    [['redis://a', { url: 'redis://b', weight: Number.NaN }], 'store[1].weight', /NaN/],
    [['redis://a', { url: 'redis://b', name: '' }], 'store[1].name', /1 to 255/],
    [{ ring: ['redis://a'], whenDown: 'panic' }, 'store.whenDown', /panic/],
    [{ ring: ['redis://a'], hashTags: 'yes' }, 'store.hashTags', /yes/],
    [{ ring: ['redis://a'], replicas: [] }, 'store.replicas', /unknown option/],
  ] as const) {
    const error = t.throws<InvalidOptionError>(() => of(store), undefined, JSON.stringify(store))
    t.is(error?.option, option, error?.message)
    t.regex(error?.message ?? '', message)
    t.notRegex(error?.message ?? '', /hidden/)
  }
})

test('replicas are not read where there is a ring', t => {
  t.throws(() => check({ store: ['redis://a', 'redis://b'], readFrom: 'replica' }, '0'), {
    message: /a store without replicas/,
  })
})
