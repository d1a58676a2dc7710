// `npm run drill -- NAME`: provokes what a runbook of docs/operations.md is about, on this machine, shows
// the metric that tells it, applies the cure and checks that it helped. Without a name, all of them.
import { drills } from './drills.mjs'
import { Stage } from './stage.mjs'

const names = process.argv.slice(2)
const unknown = names.filter(name => !(name in drills))
if (unknown.length > 0) {
  console.error(
    `there is no drill ${unknown.join(', ')}; there are ${Object.keys(drills).join(', ')}`,
  )
  process.exit(2)
}
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
