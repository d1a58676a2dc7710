// Whatever was thrown, in words. It takes nothing from the runtime: errors are made of it, and a test that
// imports the manual clock may replace the runtime's clocks afterwards.

/** A thrown value as text, whatever it is. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'a value that has no text'
  }
}

/** Why something was thrown: the message of an error, or the value as text, whatever it is. */
export function reasonOf(thrown: unknown): string {
  try {
    return textOf(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'an error that cannot be read'
  }
}
