// What is in force: policy, bounds, who may do what.

import { visible } from '../format.ts'
import type { Look } from '../frames.ts'
import { el } from './dom.ts'

/** The list of what is in force. */
export class AboutView {
  readonly element: HTMLElement
  readonly #list = el('dl', { class: 'facts' })
  #shown = ''

  constructor() {
    this.element = el('section', { class: 'panel' }, el('h3', {}, 'In force'), this.#list)
  }

  show(about: Look['about']): void {
    const now = JSON.stringify(about)
    this.element.hidden = about.length === 0
    if (now === this.#shown) return
    this.#shown = now
    this.#list.replaceChildren(...about.map(([name, value]) => factOf(name, visible(value, 400))))
  }
}

/** A name and its value. */
export function factOf(name: string, value: string): HTMLElement {
  return el('div', {}, el('dt', {}, name), el('dd', {}, value))
}
