// The module that hooks are given as: functions cannot be handed to other threads, files can.
import { type Stats, statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Verbatim } from '../../base/describe.ts'
import { HookModuleError, InvalidOptionError } from '../../base/errors.ts'
import { reasonOf } from '../../base/thrown.ts'
import { type CheckedHooks, checkHooks, type RouterHooks } from './define.ts'

/** A module of hooks, as a state of its file. */
export interface HookModule {
  readonly path: string
  /** What differs when the file has changed. */
  readonly version: string
}

/** The file that is meant, as it is now. Throws {@link InvalidOptionError} if there is none. */
export function findModule(given: string): HookModule {
  const path = given.startsWith('file:') ? fileURLToPath(given) : resolve(given)
  const file = fileAt(path)
  if (given === '' || !file?.isFile()) {
    throw new InvalidOptionError('hooks', given, 'the path of a module that can be read')
  }
  return { path, version: `${file.mtimeMs}-${file.size}-${file.ino}` }
}

function fileAt(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

let last: { module: HookModule; hooks: CheckedHooks } | undefined

/**
 * The hooks of a module on this thread: its default export, checked. A file that has changed is read
 * anew; modules that it imports are not. Throws {@link HookModuleError}, or an error of the hooks.
 */
export async function hooksOf(module: HookModule): Promise<CheckedHooks> {
  if (last === undefined || !isSame(last.module, module)) {
    last = { module, hooks: await read(module) }
  }
  return last.hooks
}

/** Whether hooks are given as a module. */
export function isModule(hooks: HookModule | RouterHooks | undefined): hooks is HookModule {
  return hooks !== undefined && 'version' in hooks
}

/** The module of hooks, if they are given as one. */
export function moduleOf(hooks: HookModule | RouterHooks | undefined): HookModule | undefined {
  return isModule(hooks) ? hooks : undefined
}

/** Hooks on this thread, however they are given. */
export async function checkedOf(
  hooks: HookModule | RouterHooks | undefined,
): Promise<CheckedHooks | undefined> {
  if (isModule(hooks)) return hooksOf(hooks)
  return hooks && checkHooks(hooks)
}

/** Whether two modules are one, of the same state. */
export function isSame(one: HookModule, other: HookModule): boolean {
  return one.path === other.path && one.version === other.version
}

async function read({ path, version }: HookModule): Promise<CheckedHooks> {
  let hooks: unknown
  try {
    hooks = await importDefault(path, version)
  } catch (error) {
    throw new HookModuleError(path, error)
  }
  if (hooks === undefined) throw new HookModuleError(path, 'it has no default export')
  try {
    return checkHooks(hooks as RouterHooks)
  } catch (error) {
    throw error instanceof InvalidOptionError ? error : new HookModuleError(path, error)
  }
}

async function importDefault(path: string, version: string): Promise<unknown> {
  if (/^\.[mc]?ts$/.test(extname(path))) {
    const { createJiti } = await import('jiti')
    const jiti = createJiti(import.meta.url, { moduleCache: false })
    return jiti.import(path, { default: true })
  }
  const url = pathToFileURL(path)
  url.searchParams.set('breakwater', version)
  const { default: given } = (await import(url.href)) as { default?: unknown }
  return given
}

/** Why a module was refused, as a message between threads. */
export type Refusal =
  | { kind: 'option'; option: string; value: string; allowed: string; message: string }
  | { kind: 'module'; path: string; why: string }

/** An error of {@link hooksOf}, to be sent. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof InvalidOptionError) {
    const { option, value, allowed, message } = error
    return { kind: 'option', option, value, allowed, message }
  }
  if (error instanceof HookModuleError) {
    const { path, why } = error
    return { kind: 'module', path, why }
  }
  return { kind: 'module', path: 'a module', why: reasonOf(error) }
}

/** The error that was sent. */
export function refused(refusal: Refusal): Error {
  if (refusal.kind === 'module') return new HookModuleError(refusal.path, refusal.why)
  const { option, value, allowed, message } = refusal
  return new InvalidOptionError(option, new Verbatim(value), allowed, { message })
}
