// How far a long piece of work is, on a terminal: a bar, a share, and the time that is left.
import { now } from '../base/runtime.ts'

const WIDTH = 30

/** A bar on standard error, if that is a terminal. */
export class ProgressBar {
  readonly #began = now()

  constructor(
    readonly label: string,
    /** What is done at the end, in any unit. */
    readonly total: number,
    readonly out: NodeJS.WriteStream = process.stderr,
  ) {}

  /** Shows how much is done. */
  readonly show = (done: number): void => {
    if (!this.out.isTTY) return
    const share = this.total > 0 ? Math.min(1, done / this.total) : 0
    this.out.write(`\r${bar(this.label, share, now() - this.#began)}\u001b[K`)
  }

  /** Takes it away. */
  clear(): void {
    if (this.out.isTTY) this.out.write('\r\u001b[K')
  }
}

/** The line of a piece of work of which a share was done in some milliseconds. */
export function bar(label: string, share: number, elapsed: number): string {
  const full = Math.round(share * WIDTH)
  const left = share > 0 ? `, ${seconds((elapsed / share) * (1 - share))} left` : ''
  return `${label} ${'█'.repeat(full)}${'░'.repeat(WIDTH - full)} ${Math.floor(share * 100)} %${left}`
}

function seconds(ms: number): string {
  const whole = Math.ceil(ms / 1000)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
