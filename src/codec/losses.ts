// What structured clone would lose without a word: classes, proxies, fields of errors. A value that
// has such a thing in it is refused, and the error says where.
import { types } from 'node:util'
import { InvalidValueError } from '../base/errors.ts'

/** Objects that are looked at without an account of which: a value with more may go in circles. */
const QUICK = 256

/** Of a path, as many characters are told. */
const LONGEST_PATH = 200

/**
 * Fails if a structured clone of the value would be less than the value.
 *
 * @throws InvalidValueError `ERR_INVALID_VALUE`: with the path of what would be lost.
 */
export function refuseLosses(codec: string, value: unknown): void {
  budget = QUICK
  if (!isKept(value)) explainLosses(codec, value)
}

/** Objects that the quick look may still see. */
let budget = 0

/** The quick look: `false` if something is lost, or if there is too much to say so. */
function isKept(value: unknown): boolean {
  if (typeof value === 'object') return value === null || isKeptObject(value)
  return typeof value !== 'function' && typeof value !== 'symbol'
}

function isKeptObject(value: object): boolean {
  if (--budget < 0) return false
  const proto = Object.getPrototypeOf(value)
  if (proto === Object.prototype) {
    for (const name in value) {
      if (!isKept((value as Record<string, unknown>)[name])) return false
    }
    return true
  }
  if (proto === Array.prototype) {
    const list = value as unknown[]
    for (let i = 0; i < list.length; i++) {
      if (!isKept(list[i])) return false
    }
    return true
  }
  return lossOf(value) === undefined && partsOf(value).every(({ part }) => isKept(part))
}

/** A part of a value, where it was found. */
interface Place {
  readonly part: unknown
  /** How to get there from where it was found: `.name`, `[3]`. */
  readonly step: string
  readonly of?: Place
}

/**
 * The thorough look, at any number of objects. Fails as {@link refuseLosses} does; also at what V8's
 * serializer refuses itself, without saying where it is.
 */
export function explainLosses(codec: string, value: unknown): void {
  const seen = new Set<unknown>()
  const places: Place[] = [{ part: value, step: 'value' }]
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { part } = place
    const loss = lossOf(part)
    if (loss !== undefined) {
      const got = `${pathOf(place)}: structured clone does not keep ${loss}`
      throw new InvalidValueError(codec, got)
    }
    if (typeof part !== 'object' || part === null || seen.has(part)) continue
    seen.add(part)
    for (const { part: inner, step } of partsOf(part)) places.push({ part: inner, step, of: place })
  }
}

function pathOf(place: Place): string {
  let path = ''
  for (let at: Place | undefined = place; at !== undefined; at = at.of) path = at.step + path
  return path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path
}

/** What is lost of a value beside its parts; `undefined` if nothing is. */
function lossOf(value: unknown): string | undefined {
  if (typeof value === 'function') return 'functions'
  if (typeof value === 'symbol') return 'symbols'
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isProxy(value)) return 'proxies'
  if (types.isArgumentsObject(value)) return 'arguments objects'
  if (types.isModuleNamespaceObject(value)) return 'modules'
  const proto: object | null = Object.getPrototypeOf(value)
  if (proto === null) return undefined
  const keeps = keeperOf(proto)
  return keeps === undefined ? classOf(value, proto) : keeps(value)
}

/** What is in a value of a class that is kept. */
function partsOf(value: object): Place[] {
  if (ArrayBuffer.isView(value) || types.isBoxedPrimitive(value)) return []
  if (types.isMap(value)) {
    return [...value].flatMap(([key, part], i) => [
      { part: key, step: `<key ${i}>` },
      { part, step: `<entry ${i}>` },
    ])
  }
  if (types.isSet(value)) return [...value].map((part, i) => ({ part, step: `<member ${i}>` }))
  if (types.isNativeError(value)) {
    return 'cause' in value ? [{ part: value.cause, step: '.cause' }] : []
  }
  const isList = Array.isArray(value)
  return Object.entries(value).map(([name, part]) => ({ part, step: stepTo(name, isList) }))
}

function stepTo(name: string, isList: boolean): string {
  if (isList && /^\d+$/.test(name)) return `[${name}]`
  return /^[\w$]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

/** What an object of a class would lose beside its parts; `undefined` if nothing. */
type Keeper = (value: object) => string | undefined

/** A class that is kept, of an object that is truly one of it. */
function truly(name: string, isOne: (value: object) => boolean): Keeper {
  return value => (isOne(value) ? undefined : `the class ${name} of what is none`)
}

/** The same, if the object has no fields beside what the class gives it. */
function bare(name: string, isOne: (value: object) => boolean): Keeper {
  const isTruly = truly(name, isOne)
  return value => {
    for (const field in value) return `the field ${field} of a ${name}`
    return isTruly(value)
  }
}

const errorKeeps: readonly PropertyKey[] = ['message', 'stack', 'cause']

const error: Keeper = value => {
  const lost = Reflect.ownKeys(value).find(field => !errorKeeps.includes(field))
  if (lost !== undefined) return `the field ${String(lost)} of an Error`
  return types.isNativeError(value) ? undefined : 'the class Error of what is none'
}

function each(names: readonly string[], keeper: (name: string) => Keeper): [string, Keeper][] {
  return names.map(name => [name, keeper(name)])
}

/** The classes that are kept, by name. */
const keepers: ReadonlyMap<string, Keeper> = new Map([
  ['Object', () => undefined],
  ['Array', truly('Array', Array.isArray)],
  ['Date', bare('Date', types.isDate)],
  ['RegExp', bare('RegExp', types.isRegExp)],
  ['Map', bare('Map', types.isMap)],
  ['Set', bare('Set', types.isSet)],
  ['ArrayBuffer', bare('ArrayBuffer', types.isArrayBuffer)],
  ...each(['DataView', 'Buffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray'], view),
  ...each(['Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'], view),
  ...each(['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'], view),
  ...each(['Boolean', 'Number', 'String', 'BigInt'], name => truly(name, types.isBoxedPrimitive)),
  ...each(['Error', 'EvalError', 'RangeError', 'ReferenceError'], () => error),
  ...each(['SyntaxError', 'TypeError', 'URIError'], () => error),
])

function view(name: string): Keeper {
  return truly(name, ArrayBuffer.isView)
}

/** Keepers by prototype, of any realm: what `vm` and Jest run has classes of its own. */
const known = new WeakMap<object, { readonly keeper: Keeper | undefined }>()

function keeperOf(proto: object): Keeper | undefined {
  const found = known.get(proto)
  if (found !== undefined) return found.keeper
  const type = ownValue(proto, 'constructor')
  const name = typeof type === 'function' && isNative(type) ? ownValue(type, 'name') : undefined
  const keeper = typeof name === 'string' ? keepers.get(name) : undefined
  known.set(proto, { keeper })
  return keeper
}

/** Whether a class is one of the language, or Buffer. */
function isNative(type: object): boolean {
  return type === Buffer || Function.prototype.toString.call(type).endsWith('{ [native code] }')
}

/** What a field has, without a call of code of the user's. */
function ownValue(object: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.value
}

function classOf(value: object, proto: object): string {
  const type = ownValue(proto, 'constructor')
  const name = typeof type === 'function' ? ownValue(type, 'name') : undefined
  if (typeof name === 'string' && name !== '' && name !== 'Object') return `the class ${name}`
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1)
  return tag === 'Object' ? 'prototypes' : `the class ${tag}`
}
