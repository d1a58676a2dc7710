// Two files in one process: the package's ES modules as they are published.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const { exports } = createRequire(import.meta.url)('../../package.json')

/** Where the package's entries are: Vitest does not know the package by its own name. */
const alias = Object.entries(exports)
  .filter(([, entry]) => entry.import !== undefined)
  .map(([name, entry]) => ({
    find: new RegExp(`^${name.replace('.', 'breakwater')}$`),
    replacement: fileURLToPath(new URL(`../../${entry.import.default}`, import.meta.url)),
  }))

export default defineConfig({
  resolve: { alias },
  test: { include: ['vitest/*.spec.mjs'], fileParallelism: false, testTimeout: 120_000 },
})
