// An image without a daemon: the steps of a Dockerfile, done in folders that stand for its stages.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The user of a container that is started by root: `nobody`, whatever name the image has for it. */
const NOBODY = 65_534
/** Where the programs of an image are that has Node.js and nothing else: those of this machine. */
const BASE = [dirname(process.execPath), '/usr/bin', '/bin']

/** A stage: its folder and what its steps have said. */
export interface Stage {
  /** Stands for the root of its file system. */
  root: string
  workdir: string
  env: Record<string, string>
  user: string
  exposed: string[]
  signal: NodeJS.Signals
  health: string[]
  entrypoint: string[]
  cmd: string[]
}

/** The steps of a Dockerfile: the name of each and what it says. */
export function stepsOf(text: string): [step: string, said: string][] {
  const lines = text.replace(/\\\n/g, ' ').split('\n')
  const steps = lines.filter(line => line !== '' && !line.startsWith('#'))
  return steps.map(line => /^([A-Z]+) +(.*)$/.exec(line)!.slice(1) as [string, string])
}

/**
 * Does the steps of a Dockerfile; the last stage.
 *
 * @param within - the folder of all stages.
 * @param args - what `docker build --build-arg` gives.
 */
export function build(text: string, within: string, args: Record<string, string>): Stage {
  const stages = new Map<string, Stage>()
  const given: Record<string, string> = {}
  let stage!: Stage
  const filled = (said: string): string =>
    said.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => {
      return { ...given, ...stage?.env }[(braced ?? bare) as string] ?? ''
    })
  const steps: Record<string, (said: string) => void> = {
    ARG(said) {
      const [name, value] = said.split('=') as [string, string]
      given[name] = args[name] ?? value
    },
    FROM(said) {
      const [, name = `${stages.size}`] = / AS (\w+)$/.exec(said) ?? []
      stage = stageOf(join(within, name))
      stages.set(name, stage)
    },
    WORKDIR(said) {
      stage.workdir = said
      mkdirSync(join(stage.root, said), { recursive: true })
    },
    RUN(said) {
      const env = { ...process.env, npm_config_prefer_offline: 'true', ...given, ...stage.env }
      execFileSync('sh', ['-c', said], { cwd: join(stage.root, stage.workdir), env })
    },
    COPY(said) {
      const [, name, from, to] = /^--from=(\w+) (\S+) (\S+)$/.exec(said) as string[]
      const options = { recursive: true, verbatimSymlinks: true }
      cpSync(join(stages.get(name!)!.root, from!), join(stage.root, to!), options)
    },
    ENV(said) {
      for (const one of said.trim().split(/ +/)) {
        const at = one.indexOf('=')
        stage.env[one.slice(0, at)] = filled(one.slice(at + 1))
      }
    },
    USER: said => (stage.user = said),
    EXPOSE: said => (stage.exposed = said.split(' ')),
    STOPSIGNAL: said => (stage.signal = said as NodeJS.Signals),
    HEALTHCHECK: said => (stage.health = JSON.parse(/CMD (\[.*\])$/.exec(said)![1]!)),
    ENTRYPOINT: said => (stage.entrypoint = JSON.parse(said)),
    CMD: said => (stage.cmd = JSON.parse(said)),
  }
  for (const [step, said] of stepsOf(text)) steps[step]!(said)
  return stage
}

function stageOf(root: string): Stage {
  mkdirSync(root)
  // As every file system has it, whatever this process hides of its files.
  chmodSync(root, 0o755)
  return {
    root,
    workdir: '/',
    env: { PATH: BASE.join(':') },
    user: 'root',
    exposed: [],
    signal: 'SIGTERM',
    health: [],
    entrypoint: [],
    cmd: [],
  }
}

/** Runs a program of an image, with its environment alone, as a user who is not root. */
export function inside(stage: Stage, words: string[], more: Record<string, string> = {}) {
  const { root, env, user, workdir } = stage
  // The image's own paths are below its root.
  const own = (path: string) => (BASE.includes(path) ? path : join(root, path))
  const PATH = env.PATH!.split(':').map(own).join(':')
  const nobody = user !== 'root' && process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const [command, ...args] = words as [string, ...string[]]
  return spawn(command, args, {
    cwd: join(root, workdir),
    // Nothing can be written: there is no home and no place for temporary files.
    env: { ...env, PATH, HOME: '/nowhere', TMPDIR: '/nowhere', ...more },
    ...nobody,
  })
}
