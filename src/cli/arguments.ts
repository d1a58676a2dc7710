// Arguments of commands, checked.
import { InvalidArgumentError } from 'commander'

/** A whole number above 0. */
export function wholeNumber(given: string): number {
  const number = Number(given)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It must be a whole number above 0.')
}

/** The file of a chart. */
export function picture(given: string): string {
  if (/\.(svg|png)$/i.test(given)) return given
  throw new InvalidArgumentError('It must end in .svg or .png.')
}
