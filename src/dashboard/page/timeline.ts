// What has happened: reloads, faults, stores that went and came; the newest first.

import { visible } from '../format.ts'
import type { Moment } from '../frames.ts'
import { clock } from './clock.ts'
import { el } from './dom.ts'

const MOST = 50
const WORDS = { note: 'note', info: 'change', good: 'recovery', warn: 'warning', bad: 'fault' }

/** The list of what has happened. */
export class TimelineView {
  readonly element: HTMLElement
  readonly #list = el('ol', { class: 'moments' })
  readonly #empty = el(
    'p',
    { class: 'quiet empty' },
    'Nothing has happened while somebody watched.',
  )

  constructor() {
    const scroll = el(
      'div',
      { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'Timeline' },
      this.#list,
    )
    this.element = el('section', { class: 'panel' }, el('h3', {}, 'Timeline'), scroll, this.#empty)
  }

  show(moments: readonly Moment[]): void {
    this.#empty.hidden = moments.length > 0
    const newest = [...moments].sort((a, b) => b.at - a.at).slice(0, MOST)
    this.#list.replaceChildren(
      ...newest.map(({ at, level, text }) =>
        el(
          'li',
          { 'data-level': level },
          el('time', { datetime: new Date(at).toISOString() }, clock(at)),
          el('span', { class: 'unseen' }, `${WORDS[level]}: `),
          el('span', {}, visible(text, 300)),
        ),
      ),
    )
  }
}
