// The table of a flight's states: complete, without dead ends, and what the pages say of it.
import test from 'ava'
import {
  events,
  type FlightEvent,
  type FlightState,
  moves,
} from '../../src/loading/flight-states.ts'

const states = Object.keys(moves) as FlightState[]

test('every event is caused by somebody and moves some state', t => {
  for (const event of Object.keys(events) as FlightEvent[]) {
    t.true(events[event].length > 0)
    t.true(
      states.some(state => moves[state][event] !== undefined),
      event,
    )
  }
  for (const state of states) {
    for (const event of Object.keys(moves[state])) t.true(event in events, event)
  }
})

test('every state is reached from the first, and the end from every state', t => {
  const from = (state: FlightState, seen = new Set<FlightState>()): Set<FlightState> => {
    if (seen.has(state)) return seen
    seen.add(state)
    for (const move of Object.values(moves[state])) from(move.to, seen)
    return seen
  }
  t.deepEqual([...from('waits')].sort(), [...states].sort())
  for (const state of states) t.true(from(state).has('ended'), state)
})

test('what ended stays so; a lease is gained once and never again', t => {
  t.deepEqual(moves.ended, {})
  for (const state of states) {
    for (const move of Object.values(moves[state])) {
      if (move.to === 'waits') t.is(state, 'waits')
      if (move.to === 'leads') t.is(state, 'waits')
    }
  }
})

test('who loads or waits can leave, and hears of the end of the cache', t => {
  for (const state of states) {
    if (state === 'ended') continue
    t.is(moves[state].left?.to, 'ended', state)
    t.truthy(moves[state].closed, state)
  }
})
