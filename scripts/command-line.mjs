// What a script is asked for on its command line. As with `breakwater`, what is wrong is told in words that
// name the option, what was given and what is allowed, and the script ends with code 2; `--help` prints help.
import { parseArgs } from 'node:util'

/** A kind of value: what is allowed in words, and how it is read; `undefined` for what is not allowed. */
const kind = (allowed, read) => otherwise => ({ allowed, read, otherwise })

const isWhole = number => Number.isSafeInteger(number) && number > 0
const wholeOf = text => (/^\d+$/.test(text) && isWhole(Number(text)) ? Number(text) : undefined)

/** An option without a value. */
export const flag = () => ({ isFlag: true, otherwise: false })

/** Whatever is not empty. */
export const text = kind('a text', given => given || undefined)

/** A whole number. */
export const whole = kind('a whole number from 1 on', wholeOf)

/** A number. */
export const above0 = kind('a number above 0', given => {
  const number = given.trim() === '' ? Number.NaN : Number(given)
  return number > 0 && Number.isFinite(number) ? number : undefined
})

/** Whole numbers with commas between them; 1k is a thousand, 1m a million. */
export const wholes = kind('whole numbers above 0, as 1000,10k,1m', given =>
  list(given, each => {
    const [, count, unit = ''] = /^(\d+)([km]?)$/i.exec(each) ?? []
    const number = Number(count) * { '': 1, k: 1000, m: 1_000_000 }[unit.toLowerCase()]
    return isWhole(number) ? number : undefined
  }),
)

/** A duration, in milliseconds. */
export const duration = kind("a duration, as '90s', '30m' or '1h'", given => {
  const [, count, unit] = /^(\d+)(s|m|h)$/.exec(given) ?? []
  return Number(count) * { s: 1000, m: 60_000, h: 3_600_000 }[unit] || undefined
})

/** One of these texts. */
export const oneOf = (choices, otherwise) =>
  kind(either(choices), given => (choices.includes(given) ? given : undefined))(otherwise)

/** Some of these texts, with commas between them. */
export const someOf = (choices, otherwise) =>
  kind(`of ${choices.join(', ')}`, given =>
    list(given, each => (choices.includes(each) ? each : undefined)),
  )(otherwise)

/** An option that may be repeated. */
export const repeated = one => ({ ...one, isRepeated: true })

/**
 * The options and names that were given. Ends the process if they ask for help, or if one is wrong.
 *
 * @param help - what `--help` prints.
 * @param options - the kinds of all options by their names.
 * @param names - what else may be given, if anything: what one is, the ones that there are where not any will
 * do, and how many at the most.
 */
export function commandLine({ help, options, names }) {
  const known = { help: { isFlag: true }, ...options }
  const types = Object.entries(known).map(([name, { isFlag }]) => [
    name,
    { type: isFlag ? 'boolean' : 'string', ...(name === 'help' && { short: 'h' }) },
  ])
  const { tokens } = parseArgs({ options: Object.fromEntries(types), strict: false, tokens: true })
  const asks = token => token.kind === 'option' && token.name === 'help'
  if (tokens.some(asks)) {
    process.stdout.write(`${help.trimEnd()}\n`)
    process.exit(0)
  }
  const values = Object.fromEntries(
    Object.entries(options).map(([name, { otherwise }]) => [name, otherwise]),
  )
  for (const token of tokens.filter(token => token.kind === 'option')) {
    const { name, rawName, value } = token
    if (!Object.hasOwn(options, name)) refuse(`there is no option '${rawName}'\n${told(options)}`)
    const read = valueGiven(rawName, value, options[name])
    values[name] = options[name].isRepeated ? [...(values[name] ?? []), read] : read
  }
  const given = tokens.filter(token => token.kind === 'positional').map(({ value }) => value)
  return { values, names: checked(given, names) }
}

/** Says what is wrong, and ends the process. */
export function refuse(why) {
  process.stderr.write(`${why}\n`)
  process.exit(2)
}

function valueGiven(name, value, { isFlag, allowed, read }) {
  if (isFlag) return value === undefined || refuse(`${name} takes no value, and has '${value}'`)
  if (value === undefined) refuse(`${name} must be ${allowed}, and has no value`)
  return read(value) ?? refuse(`${name} must be ${allowed}, not '${value}'`)
}

function checked(given, { one, among, most = Number.POSITIVE_INFINITY } = { most: 0 }) {
  const unknown = given.filter(name => among !== undefined && !among.includes(name))
  if (unknown.length > 0) {
    refuse(`there is no ${one} ${unknown.join(', ')}; there are ${among.join(', ')}`)
  }
  if (most === 0 && given.length > 0) refuse(`nothing but options is taken, not '${given[0]}'`)
  if (given.length > most) refuse(`one ${one} is taken, and not '${given[most]}' as well`)
  return given
}

/** The options that there are, besides help. */
function told(options) {
  const all = Object.keys(options).map(name => `--${name}`)
  const last = all.pop()
  if (last === undefined) return 'there is none but --help'
  return all.length === 0 ? `there is ${last}` : `there are ${all.join(', ')} and ${last}`
}

function list(given, read) {
  const all = given.split(',').map(read)
  return all.includes(undefined) ? undefined : all
}

function either(choices) {
  const quoted = choices.map(choice => `'${choice}'`)
  const last = quoted.pop()
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`
}
