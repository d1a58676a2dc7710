// Light or dark: as the system says, or as the viewer chooses; and the colours that canvases need.

const CHOICES = ['auto', 'light', 'dark'] as const
type Choice = (typeof CHOICES)[number]
const NAME = 'breakwater-theme'

/** The colours of a theme that canvases draw with. */
export interface Colours {
  readonly text: string
  readonly grid: string
  readonly lines: readonly string[]
  readonly level: Readonly<Record<string, string>>
  readonly heat: string
}

/** What is chosen. */
export function chosen(): Choice {
  const kept = localStorage.getItem(NAME) as Choice
  return CHOICES.includes(kept) ? kept : 'auto'
}

/** Chooses the next one. */
export function next(): Choice {
  const choice = CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length]!
  localStorage.setItem(NAME, choice)
  apply()
  return choice
}

/** Applies what is chosen. */
export function apply(): void {
  const choice = chosen()
  if (choice === 'auto') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.setAttribute('data-theme', choice)
}

/** Calls when the system's choice changes. */
export function onSystemChange(call: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', call)
}

/** The colours now. */
export function colours(): Colours {
  // What a colour is in a theme, only an element that has it knows.
  const probe = document.createElement('i')
  document.body.append(probe)
  const of = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const colours = {
    text: of('quiet'),
    grid: of('grid'),
    lines: ['line-1', 'line-2', 'line-3'].map(of),
    level: { info: of('quiet'), good: of('good'), warn: of('warn'), bad: of('bad') },
    heat: of('line-1'),
  }
  probe.remove()
  return colours
}
