// The commands of `breakwater` in a file, and which of their options there are not.
import { check } from '../../src/cli/check.ts'
import { drain, reload, restart, status } from '../../src/cli/orders.ts'
import { serve } from '../../src/cli/serve.ts'

const commands = new Map(
  [serve, check, status, reload, restart, drain].map(command => [command.name(), command] as const),
)

/** The commands that a text has, and of these what there is not. */
export function optionsIn(text: string): { found: number; unknown: string[] } {
  const calls = [...text.matchAll(/\bbreakwater["',\s]+([a-z]+)\b([^\n]*)/g)]
  const used = calls.filter(([, name]) => commands.has(name!))
  const unknown = used.flatMap(([, name, rest]) =>
    [...rest!.matchAll(/(?<=[\s"'[])(--[a-z-]+)/g)]
      .map(([, flag]) => flag!)
      .filter(flag => !commands.get(name!)!.options.some(({ long }) => long === flag))
      .map(flag => `${name} ${flag}`),
  )
  return { found: used.length, unknown }
}
