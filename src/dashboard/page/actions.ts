// What can be done: asked for by the viewer, confirmed in a dialog, sent with the token in a header.

import { keyShown, visible } from '../format.ts'
import type { Action, ActionName, KeyText, Outcome, Shape, Value } from '../frames.ts'
import { factOf } from './about.ts'
import { byId, el, setText } from './dom.ts'
import type { RowAction } from './tables.ts'

/** What an action is called, what a button that does it says, and what it does, for its dialog. */
const WORDS: Readonly<Record<ActionName, readonly [button: string, title: string, text: string]>> =
  {
    inspect: ['Inspect', '', ''],
    invalidate: ['Invalidate', 'Invalidate this key?', 'The next read of it loads it anew.'],
    invalidatePrefix: [
      'Invalidate all',
      'Invalidate all keys that begin so?',
      'The next reads of them load them anew, all at about the same time.',
    ],
    invalidateTag: [
      'Invalidate all',
      'Invalidate all entries with this tag?',
      'The next reads of them load them anew, all at about the same time.',
    ],
    flush: ['Flush', 'Flush everything?', 'All reads go to the origin until it is full again.'],
    pin: ['Pin', 'Pin this key as hot?', 'The configuration is reloaded; no client notices.'],
    unpin: ['Unpin', 'Unpin this key?', 'The configuration is reloaded; no client notices.'],
    route: ['Switch', 'Switch this route?', 'The configuration is reloaded; no client notices.'],
    restart: [
      'Restart threads',
      'Restart all threads?',
      'One after the other; their clients are disconnected in slices.',
    ],
    drain: ['Drain', 'Drain this node?', 'Its clients are disconnected in slices, and it ends.'],
  }
/** What those of a cache do to a node, which removes nothing from its stores. */
const OF_NODES: Partial<Record<ActionName, readonly [title: string, text: string]>> = {
  invalidate: ['Invalidate this key?', 'The next read of it asks the store, which stays as it is.'],
  flush: [
    'Forget all that was read?',
    'Nothing is deleted in a store. All reads go to the stores until memory is full again.',
  ],
}

/** Does what viewers ask for. */
export class Actions {
  readonly element: HTMLElement
  readonly #shape: Shape
  readonly #token: () => string
  readonly #locked: () => void
  readonly #note = el('output', { class: 'outcome' })
  readonly #facts = el('dl', { class: 'facts' })
  readonly #input = el('input', {
    type: 'text',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-keyshortcuts': '/',
  })
  readonly #kind = el('select', { 'aria-label': 'What to look for' })

  /** @param locked - called when the token is missing or wrong. */
  constructor(shape: Shape, token: () => string, locked: () => void) {
    this.#shape = shape
    this.#token = token
    this.#locked = locked
    this.#facts.hidden = true
    const bar = el('div', { class: 'bar-of-actions' }, ...this.#finder(), ...this.#buttons())
    this.element = el(
      'section',
      { class: 'panel actions', 'aria-label': 'Actions' },
      bar,
      this.#note,
      this.#facts,
    )
  }

  has(action: ActionName): boolean {
    return this.#shape.actions.includes(action)
  }

  /** Where a key is typed. */
  focus(): void {
    this.#input.focus()
  }

  /** What can be done to a row whose first value is a key. */
  ofRows(): RowAction[] {
    const pinned = (row: readonly Value[]) => row.at(-1) === true
    const of = (action: ActionName, fits: RowAction['fits'] = () => true): RowAction[] =>
      this.has(action)
        ? [
            {
              label: WORDS[action][0],
              fits: row => (row[0] as KeyText).cut !== true && fits(row),
              run: row => void this.ask({ action, key: row[0] as KeyText }),
            },
          ]
        : []
    return [
      ...of('inspect'),
      ...of('invalidate'),
      ...of('pin', row => !pinned(row)),
      ...of('unpin', pinned),
    ]
  }

  #finder(): HTMLElement[] {
    if (!this.has('inspect')) return []
    const kinds = [
      ['key', 'Key'],
      ['number', 'Key, a number'],
      ...(this.has('invalidatePrefix') ? [['prefix', 'Prefix']] : []),
      ...(this.has('invalidateTag') ? [['tag', 'Tag']] : []),
    ] as [string, string][]
    this.#kind.append(...kinds.map(([value, label]) => el('option', { value }, label)))
    const label = this.has('invalidateTag') ? 'Key, prefix or tag' : 'Key or prefix'
    this.#input.setAttribute('aria-label', label)
    this.#input.placeholder = 'user:42'
    const inspect = el('button', { type: 'button' }, 'Inspect')
    const invalidate = el('button', { type: 'button' }, 'Invalidate…')
    const isKey = () => this.#kind.value === 'key' || this.#kind.value === 'number'
    this.#kind.addEventListener('change', () => (inspect.disabled = !isKey()))
    const key = (): KeyText => ({
      kind: this.#kind.value === 'number' ? 'number' : 'string',
      text: this.#input.value,
    })
    const look = () => void (isKey() && this.ask({ action: 'inspect', key: key() }))
    inspect.addEventListener('click', look)
    this.#input.addEventListener('keydown', event => event.key === 'Enter' && look())
    invalidate.addEventListener('click', () => {
      const text = this.#input.value
      if (isKey()) void this.ask({ action: 'invalidate', key: key() })
      else if (text === '') this.say('Type a prefix or a tag first.', false)
      else if (this.#kind.value === 'prefix') void this.ask({ action: 'invalidatePrefix', text })
      else void this.ask({ action: 'invalidateTag', text })
    })
    return [this.#kind, this.#input, inspect, invalidate]
  }

  #buttons(): HTMLElement[] {
    const all = (['flush', 'restart', 'drain'] as const).filter(action => this.has(action))
    return all.map(action => {
      const button = el('button', { type: 'button' }, `${WORDS[action][0]}…`)
      button.addEventListener('click', () => void this.ask({ action }))
      return button
    })
  }

  /** Asks the viewer, and then the process. */
  async ask(action: Omit<Action, 'source'>): Promise<void> {
    if (action.action !== 'inspect' && !(await this.#confirmed(action))) return
    const outcome = await this.#send({ source: this.#shape.id, ...action })
    this.say(outcome.text, outcome.ok)
    this.#show(action.key, outcome.facts)
  }

  say(text: string, ok: boolean): void {
    this.#note.dataset.ok = String(ok)
    setText(this.#note, visible(text, 300))
  }

  #show(key: KeyText | undefined, facts: Outcome['facts']): void {
    this.#facts.hidden = facts === undefined
    const all = facts === undefined ? [] : [['key', keyShown(key!, 400)] as const, ...facts]
    this.#facts.replaceChildren(...all.map(([name, value]) => factOf(name, visible(value, 2000))))
  }

  #confirmed({ action, key, text, mode }: Omit<Action, 'source'>): Promise<boolean> {
    const dialog = byId<HTMLDialogElement>('confirm')
    const [button, ...words] = WORDS[action]
    const [title, why] = (this.#shape.kind === 'node' ? OF_NODES[action] : undefined) ?? words
    const subject = key === undefined ? visible(text ?? '', 400) : keyShown(key, 400)
    setText(byId('confirm-title'), title)
    setText(byId('confirm-text'), why)
    setText(byId('confirm-subject'), mode === undefined ? subject : `${subject} → ${mode}`)
    setText(byId('confirm-do'), button)
    byId('confirm-subject').hidden = subject === ''
    dialog.returnValue = ''
    dialog.showModal()
    return new Promise(resolve => {
      dialog.addEventListener('close', () => resolve(dialog.returnValue === 'do'), { once: true })
    })
  }

  async #send(action: Action): Promise<Outcome> {
    try {
      const reply = await fetch('act', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token()}` },
        body: JSON.stringify(action),
      })
      if (reply.status === 401) this.#locked()
      const body = (await reply.json()) as Outcome | { error: { message: string } }
      return 'error' in body ? { ok: false, text: body.error.message } : body
    } catch {
      return { ok: false, text: 'The process does not answer.' }
    }
  }
}
