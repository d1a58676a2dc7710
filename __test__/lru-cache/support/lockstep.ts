// Runs a program on both implementations, a step here and a step there, and compares.
import { mock } from 'node:test'
import { inspect, isDeepStrictEqual } from 'node:util'
import { implementations } from './implementations.ts'
import { EPOCH, Machine } from './machine.ts'
import { keys, values } from './pools.ts'
import type { Program, Settings, Step } from './programs.ts'
import { settle } from './time.ts'

/** Where the two first differ. */
export interface Difference {
  at: number
  what: string
  theirs: unknown
  ours: unknown
}

/** Runs `body` in time that only programs move. */
export async function inOwnTime(body: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: EPOCH + 1000 })
  try {
    await body()
  } finally {
    mock.timers.reset()
  }
}

function advance(ms: number): void {
  for (let i = 0; i < ms; i++) mock.timers.tick(1)
}

function pair(settings: Settings): [Machine, Machine] | Difference | undefined {
  const made = implementations.map(([, LRUCache]) => {
    try {
      return new Machine(LRUCache, settings)
    } catch (error) {
      return error instanceof TypeError ? 'TypeError' : String(error)
    }
  })
  const [theirs, ours] = made
  if (theirs instanceof Machine && ours instanceof Machine) return [theirs, ours]
  if (theirs === ours) return undefined
  return { at: -1, what: 'constructor', theirs, ours }
}

/** What a step comes to. Timers that are due together have no order. */
function outcomes(machines: [Machine, Machine], step: Step): [unknown, unknown] {
  if (step.do !== 'advance') return [machines[0].run(step), machines[1].run(step)]
  for (const machine of machines) machine.run({ do: 'change', with: {} })
  advance(step.n!)
  return [machines[0].told(), machines[1].told()]
}

/** The first difference between the two, if there is one. */
export async function compare(program: Program, flights: boolean): Promise<Difference | undefined> {
  const machines = pair(program.settings)
  if (machines === undefined || !Array.isArray(machines)) return machines
  try {
    for (const [at, step] of program.steps.entries()) {
      const [theirs, ours] = outcomes(machines, step)
      if (!isDeepStrictEqual(theirs, ours)) return { at, what: 'result', theirs, ours }
      if (flights) {
        await settle()
        const inOrder = step.do !== 'advance'
        const [theirs, ours] = [machines[0].after(inOrder), machines[1].after(inOrder)]
        if (!isDeepStrictEqual(theirs, ours)) return { at, what: 'after', theirs, ours }
      }
      if (at % 7 === 0 || at === program.steps.length - 1) {
        const [theirs, ours] = [machines[0].state(), machines[1].state()]
        if (!isDeepStrictEqual(theirs, ours)) return { at, what: 'state', theirs, ours }
      }
    }
    return undefined
  } finally {
    for (const { cache } of machines) cache.clear()
    await settleIf(flights)
  }
}

async function settleIf(flights: boolean): Promise<void> {
  if (flights) await settle()
}

/** A shorter program that differs as well: steps are left out as long as it does. */
export async function shrink(program: Program, flights: boolean): Promise<Program> {
  let steps = [...program.steps]
  for (let size = steps.length >> 1; size >= 1; size >>= 1) {
    for (let from = 0; from < steps.length; ) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)]
      if (await compare({ ...program, steps: fewer }, flights)) steps = fewer
      else from += size
    }
  }
  let { settings } = program
  for (const name of Object.keys(settings)) {
    const { [name]: _, ...fewer } = settings
    if (await compare({ settings: fewer, steps }, flights)) settings = fewer
  }
  return { settings, steps }
}

/** The innermost parts in which two outcomes differ. */
function narrowed(theirs: unknown, ours: unknown, path = ''): [string, unknown, unknown] {
  if (Array.isArray(theirs) && Array.isArray(ours) && theirs.length === ours.length) {
    const at = theirs.findIndex((part, i) => !isDeepStrictEqual(part, ours[i]))
    return narrowed(theirs[at], ours[at], `${path}[${at}]`)
  }
  return [path, theirs, ours]
}

/** A program and its difference as text. */
export function report(program: Program, difference: Difference | undefined): string {
  const show = (value: unknown) =>
    inspect(value, { depth: 8, breakLength: 100, maxStringLength: 40 })
  const lines = program.steps.map(({ key, value, ...step }) => {
    const named = {
      ...step,
      ...(key === undefined ? {} : { key: keys[key] }),
      ...(value === undefined ? {} : { value: values[value] }),
    }
    return `  ${inspect(named, { breakLength: Number.POSITIVE_INFINITY, maxStringLength: 40 })}`
  })
  const { at, what, theirs, ours } = difference ?? {}
  const [path, theirPart, ourPart] = narrowed(theirs, ours)
  return [
    `settings ${show(program.settings)}`,
    ...lines,
    `step ${at}, ${what}${path}`,
    `lru-cache: ${show(theirPart)}`,
    `breakwater: ${show(ourPart)}`,
  ].join('\n')
}
