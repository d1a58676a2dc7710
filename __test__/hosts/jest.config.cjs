// Two files in one process, without any transform: the package's CommonJS files as they are published.
const manifest = require('../../package.json')

/** Where the package's entries are: Jest does not know the package by its own name. */
const entries = Object.entries(manifest.exports).flatMap(([name, entry]) =>
  entry.require === undefined
    ? []
    : [
        [
          `^${name.replace('.', 'breakwater')}$`,
          `<rootDir>/../../${entry.require.default.slice(2)}`,
        ],
      ],
)

module.exports = {
  testMatch: ['<rootDir>/jest/*.spec.cjs'],
  moduleNameMapper: Object.fromEntries(entries),
  transform: {},
  testTimeout: 120_000,
  watchman: false,
}
