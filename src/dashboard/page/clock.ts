// Times of day, as the viewer's clock has them.

/** A time of day. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}
