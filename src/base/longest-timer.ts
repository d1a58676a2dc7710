/** The most milliseconds that a timer takes: a longer one fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1
