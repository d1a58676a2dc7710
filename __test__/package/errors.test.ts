// Errors are known by brand and code, whichever copy of the package, realm or registry made them.
import vm from 'node:vm'
import test from 'ava'
import * as here from '../../src/base/errors.ts'
import { type Package, registry } from '../helpers/registry.ts'

function thrown(f: () => unknown): unknown {
  try {
    f()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const badKey = (from: Package) => thrown(() => new from.Cache({ max: 1 }).get({} as never))
const badOption = (from: Package) => thrown(() => new from.Cache({ max: -1 }))

test('instanceof knows errors of other copies of the package and of other realms', t => {
  const { breakwater: other } = registry()
  for (const [from, to] of [
    [other, here],
    [other, registry().breakwater],
  ] as const) {
    const [key, option] = [badKey(from), badOption(from)]
    for (const error of [key, option]) {
      t.true(error instanceof to.BreakwaterError)
      t.true(to.isBreakwaterError(error))
    }
    t.true(key instanceof to.InvalidKeyError)
    t.false(key instanceof to.InvalidOptionError)
    t.true(option instanceof to.InvalidOptionError)
    t.false(option instanceof to.InvalidKeyError)
  }
})

test('each registry gets errors of its own classes and its own realm', t => {
  for (let i = 0; i < 3; i++) {
    const { breakwater, realm } = registry()
    const error = badKey(breakwater) as Error
    t.is(error.constructor, breakwater.InvalidKeyError)
    t.true(error instanceof vm.runInContext('Error', realm))
  }
})

test('each class has the code of its errors, and none is two classes', t => {
  const classes = Object.values(here).filter(
    value => Object.getPrototypeOf(value) === here.BreakwaterError,
  ) as (typeof here.BreakwaterError)[]
  t.true(classes.length > 20)
  const codes = classes.map(({ code }) => code)
  for (const code of codes) t.regex(String(code), /^ERR_[A-Z_]+$/)
  t.is(new Set(codes).size, codes.length)
  t.is(new here.TierError('lost').code, here.TierError.code)
})

test('a class that a user derived knows its own instances only', t => {
  class Lost extends here.TierError {}
  const other = registry().breakwater
  t.true(new Lost('x') instanceof Lost)
  t.true(new Lost('x') instanceof here.TierError)
  t.true(new Lost('x') instanceof other.TierError)
  t.false(new here.TierError('x') instanceof Lost)
})

test('what is no error of ours is none, whatever it looks like', t => {
  for (const value of [null, undefined, 1, 'ERR_TIER', {}, { code: 'ERR_TIER' }, new Error('x')]) {
    t.false(here.isBreakwaterError(value))
    t.false(value instanceof (here.TierError as never))
  }
})
