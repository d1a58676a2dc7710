import test from 'ava'
import { native } from '../src/index.ts'

test('the native module loads', t => {
  t.is(typeof native, 'object')
})
