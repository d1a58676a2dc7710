// Copies of the package in one thread, as a test runner has them: one for each test file.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import vm from 'node:vm'

const require = createRequire(import.meta.url)

export type Package = typeof import('../../src/index.ts')

/** Loads the CommonJS files anew in a realm of its own, as Jest does for each test file. */
export function registry(): { breakwater: Package; realm: vm.Context } {
  const realm = vm.createContext({
    ...{ process, Buffer, performance, AbortController, URL },
    ...{ setTimeout, clearTimeout, setImmediate, queueMicrotask },
  })
  const modules = new Map<string, { exports: unknown }>()
  const load = (file: string): unknown => {
    const known = modules.get(file)
    if (known !== undefined) return known.exports
    const module = { exports: {} as unknown }
    modules.set(file, module)
    const parameters = '(exports, require, module, __filename, __dirname)'
    const code = `(function ${parameters} {${readFileSync(file, 'utf8')}\n})`
    const from = createRequire(file)
    // The binding stays the same: it is one module for the whole process.
    const inside = (name: string) =>
      name.startsWith('.') && !name.endsWith('.cjs')
        ? load(resolve(dirname(file), name))
        : from(name)
    const run = vm.runInContext(code, realm, { filename: file })
    run(module.exports, inside, module, file, dirname(file))
    return module.exports
  }
  return { breakwater: load(require.resolve('breakwater')) as Package, realm }
}
