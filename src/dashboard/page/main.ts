// The page: it hears the stream, shows the source that is chosen, and says when it is cut off.

import { since, visible } from '../format.ts'
import type { Hello, Moment, Sample } from '../frames.ts'
import { clock } from './clock.ts'
import { byId, el, setText } from './dom.ts'
import { listen } from './stream.ts'
import * as theme from './theme.ts'
import { SourceView } from './view.ts'

const TOKEN = 'breakwater-token'
const MOST_MOMENTS = 200

let views = new Map<string, SourceView>()
let tabs = new Map<string, HTMLButtonElement>()
let shown = ''
let hello: Hello | undefined
let moments: Moment[] = []
let lostAt: number | undefined
let isPaused = false
let stop = () => {}

/** The token may come in the fragment of the address, which no server is sent: it does not stay there. */
function takeToken(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get('token')
  if (given === null) return
  sessionStorage.setItem(TOKEN, given)
  history.replaceState(null, '', location.pathname + location.search)
}

const token = () => sessionStorage.getItem(TOKEN) ?? ''

function connect(): void {
  stop()
  stop = listen('events', token, {
    event(name, data) {
      if (name === 'hello') greet(data as Hello)
      else if (name === 'sample') see(data as Sample)
    },
    state(state, why = '') {
      if (state === 'refused') return refused(why)
      if (state === 'open') return
      lostAt ??= Date.now()
      tellConnection('down', `Disconnected since ${clock(lostAt)}`)
    },
  })
}

function greet(now: Hello): void {
  const restarted = hello !== undefined && hello.boot !== now.boot
  const known = new Set(now.moments.map(key))
  // What the page has seen itself stays, also where the process is another one.
  moments = [...moments.filter(moment => !known.has(key(moment))), ...now.moments]
  if (lostAt !== undefined || restarted) noteGap(now, restarted)
  hello = now
  lostAt = undefined
  const before = views
  views = new Map(
    now.shapes.map(shape => [shape.id, new SourceView(shape, now, page, before.get(shape.id))]),
  )
  for (const [id, view] of before) if (!views.has(id)) view.close()
  setText(byId('unlock'), now.mayAct ? 'Lock' : 'Unlock')
  makeTabs()
  show(views.has(shown) ? shown : now.shapes[0]!.id)
}

function noteGap(now: Hello, restarted: boolean): void {
  const what = restarted ? 'The process was restarted' : 'The page was disconnected'
  const from = lostAt === undefined ? '' : `; no figures since ${clock(lostAt)}`
  for (const { id } of now.shapes) {
    moments.push({
      at: Date.now(),
      source: id,
      level: restarted ? 'warn' : 'info',
      text: `${what}${from}.`,
    })
  }
}

function key({ at, source, text }: Moment): string {
  return `${at} ${source} ${text}`
}

function see(sample: Sample): void {
  moments = [...moments, ...sample.moments].slice(-MOST_MOMENTS)
  for (const [id, look] of Object.entries(sample.looks)) views.get(id)?.see(sample.at, look)
  for (const [id, tab] of tabs) mark(tab, views.get(id)!)
  const view = views.get(shown)
  if (view === undefined) return
  const { state = 'up', stateText } = view
  tellConnection(state, state === 'up' ? 'Live' : visible(stateText, 120))
  tellProcess()
  if (!isPaused && !document.hidden) view.draw()
}

function tellConnection(state: string, text: string): void {
  const place = byId('connection')
  place.dataset.state = state
  setText(place, text)
}

function tellProcess(): void {
  if (hello === undefined) return
  const { version, pid, startedAt } = hello
  setText(byId('process'), `${version} · process ${pid} · up ${since(Date.now() - startedAt)}`)
}

function makeTabs(): void {
  const nav = byId('sources')
  tabs = new Map(
    [...views].map(([id, { shape }]) => {
      const tab = el(
        'button',
        { type: 'button', class: 'tab' },
        el('span', {}, visible(shape.name, 40)),
      )
      tab.addEventListener('click', () => show(id))
      return [id, tab]
    }),
  )
  nav.replaceChildren(...tabs.values())
  nav.hidden = tabs.size < 2
}

function mark(tab: HTMLButtonElement, { state = 'up' }: SourceView): void {
  tab.dataset.state = state
  tab.title = state
}

function show(id: string): void {
  const view = views.get(id)
  if (view === undefined) return
  shown = id
  for (const [each, tab] of tabs) {
    if (each === id) tab.setAttribute('aria-current', 'true')
    else tab.removeAttribute('aria-current')
  }
  byId('figures').replaceChildren(view.element)
  view.draw()
}

const page = {
  token,
  mayAct: () => hello?.mayAct ?? false,
  locked: () => lock(),
  moments: (source: string) => moments.filter(moment => moment.source === source),
}

function refused(why: string): void {
  const had = token() !== ''
  sessionStorage.removeItem(TOKEN)
  setText(byId('waiting'), `No figures: ${why}.`)
  tellConnection('down', had ? 'The token is wrong' : 'It needs the token')
  askToken()
}

function askToken(): void {
  const dialog = byId<HTMLDialogElement>('token-dialog')
  const input = byId<HTMLInputElement>('token')
  input.value = ''
  if (!dialog.open) dialog.showModal()
}

function lock(): void {
  sessionStorage.removeItem(TOKEN)
  connect()
}

function pause(): void {
  isPaused = !isPaused
  byId('pause').setAttribute('aria-pressed', String(isPaused))
  if (!isPaused) views.get(shown)?.draw()
}

function restyle(): void {
  setText(byId('theme'), `Theme: ${theme.chosen()}`)
  for (const view of views.values()) view.restyle(theme.colours())
}

function turnTheme(): void {
  theme.next()
  restyle()
}

/** What a key does, unless somebody types. */
function press(event: KeyboardEvent): void {
  const typing = (event.target as HTMLElement).matches('input, select, textarea, dialog *')
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return
  const source = [...views.keys()][Number(event.key) - 1]
  if (event.key === 'p') pause()
  else if (event.key === 't') turnTheme()
  else if (event.key === '/') {
    event.preventDefault()
    views.get(shown)?.actions?.focus()
  } else if (source !== undefined) show(source)
}

function wire(): void {
  byId('pause').addEventListener('click', pause)
  byId('theme').addEventListener('click', turnTheme)
  byId('unlock').addEventListener('click', () => (page.mayAct() ? lock() : askToken()))
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.querySelector('[data-close]')?.addEventListener('click', () => dialog.close())
  }
  byId('token-dialog')
    .querySelector('form')!
    .addEventListener('submit', () => {
      sessionStorage.setItem(TOKEN, byId<HTMLInputElement>('token').value)
      connect()
    })
  byId('confirm')
    .querySelector('form')!
    .addEventListener('submit', event => {
      event.preventDefault()
      byId<HTMLDialogElement>('confirm').close('do')
    })
  document.addEventListener('keydown', press)
  addEventListener('resize', () => views.get(shown)?.draw())
  document.addEventListener('visibilitychange', () => document.hidden || views.get(shown)?.draw())
  theme.onSystemChange(restyle)
}

theme.apply()
takeToken()
wire()
restyle()
connect()
