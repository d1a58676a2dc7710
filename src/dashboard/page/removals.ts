// Removals of a cache as they come: invalidations, deletions, evictions. Listened to while it is open.

import { keyShown } from '../format.ts'
import type { Removals } from '../frames.ts'
import { clock } from './clock.ts'
import { el, setText } from './dom.ts'
import { listen } from './stream.ts'

const MOST = 100

/** The stream of removals. */
export class RemovalsView {
  readonly element: HTMLDetailsElement
  readonly #list = el('ol', { class: 'moments' })
  readonly #note = el('span', { class: 'quiet' })
  #missed = 0
  #stop: (() => void) | undefined

  constructor(source: string, token: () => string) {
    const scroll = el(
      'div',
      { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'Removals' },
      this.#list,
    )
    this.element = el(
      'details',
      { class: 'panel' },
      el('summary', {}, 'Removals, as they come', this.#note),
      scroll,
    )
    this.element.addEventListener('toggle', () => {
      this.#stop?.()
      this.#stop = undefined
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

  #add({ removals, more }: Removals): void {
    this.#missed += more
    if (this.#missed > 0) setText(this.#note, `${this.#missed.toLocaleString('en')} not shown`)
    for (const { at, key, reason } of removals) {
      this.#list.prepend(
        el(
          'li',
          {},
          el('time', { datetime: new Date(at).toISOString() }, clock(at)),
          el('span', { class: 'reason' }, reason),
          el('code', {}, keyShown(key)),
        ),
      )
    }
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild?.remove()
  }
}
