// A clock for a cache and, as `Date.now`, for a library beside it. Imported before either.
import { ManualClock } from '../../src/testing.ts'

/** What both read. */
export const clock = new ManualClock()

const begin = Date.now()
Date.now = () => begin + clock.now
