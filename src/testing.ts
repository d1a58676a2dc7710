// What tests of code that uses a cache need: time that they move themselves.
export { ManualClock } from './base/clock.ts'
