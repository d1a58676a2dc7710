// Other runtimes than the one that runs the tests, as npm packages: one version of each, pinned.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A runtime that runs a file. */
export interface Runtime {
  /** Its name and version. */
  name: string
  /** The command, to which the file's path is added. */
  command: string[]
}

const os = { darwin: 'darwin', linux: 'linux', win32: 'win' }[process.platform as string] ?? 'none'
const { platform, arch } = process
const exe = platform === 'win32' ? '.exe' : ''
const bunArch = arch === 'arm64' ? 'aarch64' : arch
const bunOs = platform === 'win32' ? 'windows' : platform
const denoLibc = platform === 'linux' ? '-glibc' : ''

/** Each brings its program within the package; none needs an install script. */
const PACKAGES = {
  node20: { of: `node-${os}-${arch}@20.20.2`, run: [`bin/node${exe}`] },
  node22: { of: `node-${os}-${arch}@22.23.3`, run: [`bin/node${exe}`] },
  node24: { of: `node-${os}-${arch}@24.21.0`, run: [`bin/node${exe}`] },
  bun: { of: `@oven/bun-${bunOs}-${bunArch}@1.4.5`, run: [`bin/bun${exe}`] },
  deno: { of: `@deno/${platform}-${arch}${denoLibc}@2.9.6`, run: [`deno${exe}`, 'run', '-A'] },
}
/** The runtimes' names. */
export const RUNTIMES = Object.keys(PACKAGES) as (keyof typeof PACKAGES)[]

const folder = fileURLToPath(new URL('../../node_modules/.cache/runtimes', import.meta.url))

/** Installs the runtimes, once: they are kept until a version changes. */
export function install(): Record<keyof typeof PACKAGES, Runtime> {
  const wanted = RUNTIMES.map(name => `${name}@npm:${PACKAGES[name].of}`)
  const stamp = join(folder, `${wanted.join(' ').replace(/[^\w.@-]/g, '_')}.installed`)
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    npm(folder, 'install', '--ignore-scripts', ...wanted)
    writeFileSync(stamp, '')
  }
  const runtime = (name: keyof typeof PACKAGES): Runtime => {
    const [program = '', ...args] = PACKAGES[name].run
    const version = PACKAGES[name].of.slice(PACKAGES[name].of.lastIndexOf('@') + 1)
    return {
      name: `${name} ${version}`,
      command: [join(folder, 'node_modules', name, program), ...args],
    }
  }
  return Object.fromEntries(RUNTIMES.map(name => [name, runtime(name)])) as ReturnType<
    typeof install
  >
}

/** Runs npm in a folder; what it printed. */
export function npm(cwd: string, ...args: string[]): string {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  return execFileSync('npm', [...args, ...quiet], {
    cwd,
    encoding: 'utf8',
    shell: platform === 'win32',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
