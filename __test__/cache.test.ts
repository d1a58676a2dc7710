import test from 'ava'
import { Cache } from '../src/index.ts'

test('a value that was set is read again until it is deleted', t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', '1')
  t.is(cache.get('a'), '1')
  t.true(cache.delete('a'))
  t.is(cache.get('a'), undefined)
})
