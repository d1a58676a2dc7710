// `npm run drill -- NAME`: provokes what a runbook of docs/operations.md is about, on this machine, shows
// the metric that tells it, applies the cure and checks that it helped. Without a name, all of them.
import { commandLine } from '../command-line.mjs'
import { drills } from './drills.mjs'
import { Stage } from './stage.mjs'

const HELP = `npm run drill -- [NAME...]

Provokes what a runbook is about, shows the metric that tells it, applies the cure and checks that it helped.
Without a name, all drills: ${Object.keys(drills).join(', ')}.

Exit codes: 0 every cure helped, 1 one did not, 2 there is no such drill or option.`

const { names } = commandLine({
  help: HELP,
  options: {},
  names: { one: 'drill', among: Object.keys(drills) },
})
for (const name of names.length > 0 ? names : Object.keys(drills)) {
  const stage = new Stage(name)
  try {
    await drills[name](stage)
    stage.say('passed', 'the cure helped')
  } catch (error) {
    stage.say('FAILED', error.message)
    process.exitCode = 1
  } finally {
    await stage.close()
  }
}
