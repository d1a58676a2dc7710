// Routes of a configuration, as texts and as objects.
import type { RouterRoute } from '../router/routes.ts'

export type Mode = 'off' | 'shadow' | 'on'

/** The keys of a route. */
export function matchOf(route: string | RouterRoute): string {
  return typeof route === 'string' ? route.split(',')[0]! : route.match
}

/** What it does. */
export function modeOf(route: string | RouterRoute): string {
  if (typeof route !== 'string') return route.mode ?? 'on'
  return /,mode=(\w+)/.exec(route)?.[1] ?? 'on'
}

/** The same with another mode. */
export function withMode(route: string | RouterRoute, mode: Mode): string | RouterRoute {
  if (typeof route !== 'string') return { ...route, mode }
  return `${route.replace(/,mode=[^,]*/, '')},mode=${mode}`
}
