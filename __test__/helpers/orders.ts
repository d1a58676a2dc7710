// Every order in which several actors can take their steps.

/** A step of an actor. */
export type Step = readonly [actor: string, step: string]

/** All orders of the steps of all actors; those of one actor stay in theirs. */
export function* inOrders(actors: Readonly<Record<string, readonly string[]>>): Generator<Step[]> {
  const names = Object.keys(actors)
  const done: Record<string, number> = Object.fromEntries(names.map(name => [name, 0]))
  const steps: Step[] = []
  function* next(): Generator<Step[]> {
    let isEnd = true
    for (const name of names) {
      const step = actors[name]?.[done[name] as number]
      if (step === undefined) continue
      isEnd = false
      done[name]!++
      steps.push([name, step])
      yield* next()
      steps.pop()
      done[name]!--
    }
    if (isEnd) yield [...steps]
  }
  yield* next()
}
