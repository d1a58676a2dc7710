// Keeps the symbols of a native module apart from it, so that what is published is small and a
// debugger or profiler that has both still shows names and lines.
//
// On Linux objcopy does it after the build, and the module says where its symbols are. On macOS and
// Windows the compiler does: see `environment`.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** The target that the compiler builds for, unless it is told of another. */
export const host = /^host: (.*)$/m.exec(output('rustc', ['-vV']))?.[1] ?? ''

/** What Cargo is to be told for a target. */
export function environment(target) {
  if (!target.includes('apple')) return {}
  return {
    CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO: 'packed',
    CARGO_PROFILE_RELEASE_STRIP: 'symbols',
  }
}

/** Takes the symbols out of a module that was built into `folder`, and puts them beside it. */
export function keepApart(module, target, folder) {
  if (target.includes('linux')) return split(module)
  const built = target.includes('apple') ? 'libbreakwater_node.dylib.dSYM' : 'breakwater_node.pdb'
  const kept = target.includes('apple') ? `${module}.dSYM` : `${module}.pdb`
  rmSync(kept, { recursive: true, force: true })
  if (existsSync(join(folder, built))) cpSync(join(folder, built), kept, { recursive: true })
}

function split(module) {
  const symbols = `${module}.debug`
  const { tool, env } = objcopy()
  rmSync(symbols, { force: true })
  output(tool, ['--only-keep-debug', module, symbols], { env })
  const link = `--add-gnu-debuglink=${basename(symbols)}`
  output(tool, ['--strip-all', link, module], { env, cwd: dirname(module) })
}

/** The compiler's own objcopy, which knows every target, or else the system's. */
function objcopy() {
  const root = output('rustc', ['--print', 'sysroot']).trim()
  const LD_LIBRARY_PATH = [join(root, 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':')
  const env = { ...process.env, LD_LIBRARY_PATH }
  const own = join(root, 'lib/rustlib', host, 'bin/rust-objcopy')
  const tool = [own, 'llvm-objcopy', 'objcopy'].find(
    name => spawnSync(name, ['--version'], { env }).status === 0,
  )
  if (!tool) throw new Error('no objcopy: install binutils or llvm')
  return { tool, env }
}

function output(command, args, options) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`)
  }
  return result.stdout
}
