import { totalmem } from 'node:os'
import { inspect } from 'node:util'
import test from 'ava'
import { memoryLimit } from '../../src/base/memory.ts'
import { byteCount, milliseconds } from '../../src/base/units.ts'
import { Cache, type CacheOptions, InvalidOptionError } from '../../src/index.ts'

const bad: [keyof CacheOptions | 'options', unknown, RegExp][] = [
  ['max', 0, /max must be a whole number of entries above 0, not 0/],
  ['max', -1, /not -1/],
  ['max', 1.5, /not 1.5/],
  ['max', Number.NaN, /not NaN/],
  ['max', Number.POSITIVE_INFINITY, /not Infinity/],
  ['max', '10', /not '10'/],
  ['max', null, /not null/],
  ['maxBytes', 0, /maxBytes must be a whole number of bytes above 0, or text such as/],
  ['maxBytes', '0kb', /not '0kb'/],
  ['maxBytes', '12 parsecs', /not '12 parsecs'/],
  ['maxBytes', '', /not ''/],
  ['maxBytes', '-1mb', /not '-1mb'/],
  ['maxBytes', '101%', /not '101%'/],
  ['maxBytes', '0%', /not '0%'/],
  ['maxBytes', {}, /not an object/],
  ['maxBytes', 100, /maxBytes must be at least 4096, not 100/],
  ['policy', 'fifo', /policy must be one of lru, lfu, auto, random, none, not 'fifo'/],
  ['policy', 1, /not 1/],
  ['policy', 'toString', /not 'toString'/],
  ['weigh', 'size', /weigh must be one of hits, bytes, cost, not 'size'/],
  ['weigh', 1, /not 1/],
  ['weigh', null, /not null/],
  ['ttl', 0, /ttl must be a number of milliseconds above 0, or text such as/],
  ['ttl', -5, /not -5/],
  ['ttl', Number.NaN, /not NaN/],
  ['ttl', '5 fortnights', /not '5 fortnights'/],
  ['ttl', 'soon', /not 'soon'/],
  ['ttl', `${'9'.repeat(100)}d`, /\.\.\.'/],
  ['ttl', true, /not true/],
  ['jitter', 1, /jitter must be a number from 0 up to, not including, 1, not 1/],
  ['jitter', -0.1, /not -0.1/],
  ['jitter', '0.1', /not '0.1'/],
  ['codec', 'yaml', /codec must be one of any, string, bytes, number, json, structured, heap, or/],
  ['codec', { encode: () => '' }, /or an object \{ encode, decode \}, not an object/],
  ['codec', null, /not null/],
  ['codec', () => 1, /not a function/],
  ['shards', 3, /shards must be a power of two from 1 to 256, not 3/],
  ['shards', 0, /not 0/],
  ['shards', 512, /not 512/],
  ['name', '', /name must be a text of 1 to 256 characters, not ''/],
  ['name', 'x'.repeat(257), /not 'x{64}\.\.\.'/],
  ['name', 5, /not 5/],
  ['clock', Date, /clock must be a ManualClock of breakwater\/testing, not a function/],
  ['random', 4, /random must be a function/],
]

for (const [option, value, message] of bad) {
  test(`an option that cannot be is named with its value: ${option} ${inspect(value)}`, t => {
    const error = t.throws(() => new Cache({ [option]: value }), {
      instanceOf: InvalidOptionError,
      code: 'ERR_INVALID_OPTION',
      message,
    })
    t.is(error?.option, option)
  })
}

test('an option that does not exist is refused, not ignored', t => {
  const options = { max: 10, maxSize: 10 }
  t.throws(() => new Cache(options), {
    code: 'ERR_INVALID_OPTION',
    message: "unknown option 'maxSize'; did you mean 'maxBytes'?",
  })
  t.throws(() => new Cache(5 as never), {
    code: 'ERR_INVALID_OPTION',
    message: /options must be an/,
  })
  t.throws(() => new Cache(null as never), { code: 'ERR_INVALID_OPTION' })
})

test('options of single calls are checked as well', t => {
  const cache = new Cache({ max: 10 })
  const invalid = { code: 'ERR_INVALID_OPTION' }
  t.throws(() => cache.set('a', 'b', { ttl: 0 }), { ...invalid, message: /ttl/ })
  t.throws(() => cache.set('a', 'b', { ttl: 5, jitter: 2 }), { ...invalid, message: /jitter/ })
  t.throws(() => cache.expire('a', 'never'), { ...invalid, message: /'never'/ })
  t.throws(() => cache.resize({ max: -1 }), { ...invalid, message: /max/ })
  t.throws(() => cache.resize({ maxBytes: 'x' }), { ...invalid, message: /maxBytes/ })
  t.throws(() => cache.hotKeys(-1), { ...invalid, message: /limit/ })
  t.throws(() => cache.getInto('a', [] as never), { ...invalid, message: /buffer/ })
  t.throws(() => cache.onRemoval('f' as never), { ...invalid, message: /listener/ })
  t.is(cache.size, 0)
})

test('a cache without a bound is refused, and told what a bound is', t => {
  for (const options of [{}, { ttl: '5m' }, { max: undefined }] as CacheOptions[]) {
    const error = t.throws(() => new Cache(options), {
      instanceOf: InvalidOptionError,
      code: 'ERR_INVALID_OPTION',
      message: /a cache needs a bound: max must be .* above 0, or maxBytes a size such as '256mb'/,
    })
    t.is(error.option, 'max')
  }
  t.throws(() => new Cache(undefined as never), { code: 'ERR_INVALID_OPTION', message: /options/ })
  t.is(new Cache({ maxBytes: '25%' }).set('a', '1').get('a'), '1')
})

const unknown: [object, string][] = [
  [{ lodaer: () => 1 }, "unknown option 'lodaer'; did you mean 'loader'?"],
  [{ maxbytes: 5 }, "unknown option 'maxbytes'; did you mean 'maxBytes'?"],
  [{ stalewhilerevalidat: 5 }, "; did you mean 'staleWhileRevalidate'?"],
  [{ near: { frezee: true } }, "unknown option 'near.frezee'; did you mean 'near.freeze'?"],
  [{ origin: { retires: 2 } }, "unknown option 'origin.retires'; did you mean 'origin.retry'?"],
  [
    { origin: { retry: { retires: 2 } } },
    "'origin.retry.retires'; did you mean 'origin.retry.retries'?",
  ],
  [
    { origin: { retry: { retries: 1, backOff: { intial: 2 } } } },
    "'origin.retry.backOff.initial'?",
  ],
  [{ origin: { rate: { limt: 1 } } }, "'origin.rate.limt'; did you mean 'origin.rate.limit'?"],
  [{ origin: { breaker: { failure: 1 } } }, "did you mean 'origin.breaker.failures'?"],
  [{ earlyRefresh: { bet: 1 } }, "did you mean 'earlyRefresh.beta'?"],
  [{ batch: { maxbatch: 1 } }, "did you mean 'batch.maxBatch'?"],
  [{ warm: { form: 'x' } }, "did you mean 'warm.from'?"],
  [{ writeThrough: { timeuot: 1 } }, "did you mean 'writeThrough.timeout'?"],
  [{ writeBehind: { writer: () => {}, maxDely: 1 } }, "did you mean 'writeBehind.maxDelay'?"],
  [{ quux: 1 }, "unknown option 'quux': options are name, max, "],
  [{ ['x'.repeat(1000)]: 1 }, `unknown option '${'x'.repeat(64)}...': options are `],
  [{ constructor: 1 }, "unknown option 'constructor': options are "],
]

for (const [options, message] of unknown) {
  test(`an option that does not exist is refused, with the one that was meant: ${message}`, t => {
    const error = t.throws(() => new Cache({ max: 10, ...options }), { code: 'ERR_INVALID_OPTION' })
    t.true(error.message.includes(message), error.message)
  })
}

for (const name of ['breaker', 'concurrency', 'queue', 'rate', 'retry']) {
  test(`the old spelling of origin.${name} is refused, and the new one named`, t => {
    t.throws(() => new Cache({ max: 10, [name]: undefined }), {
      code: 'ERR_INVALID_OPTION',
      message: `unknown option '${name}'; write 'origin.${name}', its new name`,
    })
  })
}

test('durations are written in the usual units', t => {
  const texts = ['250ms', '30s', '5m', '2h', '1d', '1w', '1.5 h', ' 10S ']
  t.deepEqual(
    texts.map(text => milliseconds('ttl', text)),
    [250, 30_000, 300_000, 7_200_000, 86_400_000, 604_800_000, 5_400_000, 10_000],
  )
  t.is(milliseconds('ttl', Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
})

test('sizes are written in powers of 1024, or as a share of the memory', t => {
  const texts = ['100b', '512kb', '256mb', '2gb', '1tb', '1.5 KB']
  t.deepEqual(
    texts.map(text => byteCount('maxBytes', text)),
    [100, 524_288, 268_435_456, 2_147_483_648, 1_099_511_627_776, 1536],
  )
  t.is(byteCount('maxBytes', '25%'), Math.floor(memoryLimit() / 4))
  t.is(byteCount('maxBytes', '100%'), memoryLimit())
})

/** Reads from a pretended file system. */
const files = (all: Record<string, string>) => (path: string) => {
  const text = all[path]
  if (text === undefined) throw new Error('ENOENT')
  return text
}

test('the memory limit is that of the cgroup, of version 2', t => {
  const read = files({
    '/proc/self/cgroup': '0::/pod/container\n',
    '/sys/fs/cgroup/pod/container/memory.max': 'max\n',
    '/sys/fs/cgroup/pod/memory.max': '1048576\n',
  })
  t.is(memoryLimit(read), 1_048_576)
})

test('the memory limit is that of the cgroup, of version 1', t => {
  const read = files({
    '/proc/self/cgroup': '5:cpu:/other\n4:memory,pids:/box\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '2097152\n',
    '/sys/fs/cgroup/memory/box/memory.limit_in_bytes': '9223372036854771712\n',
  })
  t.is(memoryLimit(read), 2_097_152)
})

test('without a cgroup the memory limit is the machine', t => {
  t.is(memoryLimit(files({})), totalmem())
  t.is(memoryLimit(files({ '/proc/self/cgroup': 'nonsense' })), totalmem())
})
