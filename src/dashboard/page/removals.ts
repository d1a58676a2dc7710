// What leaves as it does: invalidations, deletions, evictions. Listened to while it is open.

import { figure, keyShown, visible } from '../format.ts'
import type { Removals } from '../frames.ts'
import { clock } from './clock.ts'
import { el, setText } from './dom.ts'
import { listen } from './stream.ts'

/** The most rows of a reason: a rare one stays in sight beside one that is frequent. */
const MOST = 100
/** The span that rates are of, in milliseconds, and how many are shown. */
const SPAN = 10_000
const MOST_RATES = 8

/** The stream of what leaves. */
export class RemovalsView {
  readonly element: HTMLDetailsElement
  readonly #list = el('ol', { class: 'moments' })
  readonly #note = el('span', { class: 'quiet' })
  readonly #rates = el('ul', { class: 'legend rates', 'aria-label': 'Rates' })
  readonly #rows = new Map<string, HTMLElement[]>()
  #counts: { at: number; counts: Removals['counts'] }[] = []
  #missed = 0
  #stop: (() => void) | undefined

  /** @param title - what it is called. */
  constructor(source: string, title: string, token: () => string) {
    const scroll = el(
      'div',
      { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': title },
      this.#list,
    )
    this.element = el(
      'details',
      { class: 'panel' },
      el('summary', {}, `${title}, as they come`, this.#note),
      this.#rates,
      scroll,
    )
    this.element.addEventListener('toggle', () => {
      this.#stop?.()
      this.#stop = undefined
      this.#counts = []
      if (!this.element.open) return
      this.#stop = listen(`removals?source=${encodeURIComponent(source)}`, token, {
        event: (_, data) => this.#add(data as Removals),
        state: state => setText(this.#note, state === 'refused' ? 'needs the token' : ''),
      })
    })
  }

  close(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #add({ removals, more, counts }: Removals): void {
    this.#rate(counts)
    this.#missed += more
    if (this.#missed > 0) setText(this.#note, `${this.#missed.toLocaleString('en')} not shown`)
    for (const { at, key, reason } of removals) {
      const row = el(
        'li',
        {},
        el('time', { datetime: new Date(at).toISOString() }, clock(at)),
        el('span', { class: 'reason' }, reason),
        el('code', {}, keyShown(key)),
      )
      this.#list.prepend(row)
      const same = this.#rows.get(reason) ?? []
      this.#rows.set(reason, same)
      if (same.push(row) > MOST) same.shift()?.remove()
    }
  }

  /** Shows how many leave a second, by their route or how they begin. */
  #rate(counts: Removals['counts']): void {
    const now = Date.now()
    this.#counts = [...this.#counts.filter(({ at }) => at > now - SPAN), { at: now, counts }]
    const sums = new Map<string, number>()
    for (const [of, count] of this.#counts.flatMap(({ counts }) => counts)) {
      sums.set(of, (sums.get(of) ?? 0) + count)
    }
    const seconds = Math.max(1, (now - this.#counts[0]!.at) / 1000)
    const most = [...sums].sort((a, b) => b[1] - a[1]).slice(0, MOST_RATES)
    this.#rates.replaceChildren(
      ...most.map(([of, count]) =>
        el('li', {}, el('code', {}, visible(of)), el('b', {}, figure(count / seconds, 'rate'))),
      ),
    )
  }
}
