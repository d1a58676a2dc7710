// Loads the native module that fits the running process. scripts/build-native.mjs copies this file to
// dist/binding/index.cjs.
'use strict'

/** The builds that there are: the target of a package's name, without the C library. */
const BUILDS = [
  'linux-x64',
  'linux-arm64',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64',
  'win32-arm64',
]

/** The C library that the process itself runs on. The system's files may be of another. */
function libcOf({ report }) {
  // Other runtimes have no reports, or reports that say less.
  if (typeof report?.getReport !== 'function') return 'gnu'
  const network = report.excludeNetwork
  // Its look at the network may take seconds.
  report.excludeNetwork = true
  try {
    return report.getReport().header?.glibcVersionRuntime ? 'gnu' : 'musl'
  } finally {
    report.excludeNetwork = network
  }
}

/** The targets that the process may run, those that fit it best first. */
function targetsFor(process) {
  const { platform, arch } = process
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  const libc = libcOf(process)
  return [libc, libc === 'gnu' ? 'musl' : 'gnu'].map(name => `linux-${arch}-${name}`)
}

/** The module, from beside this file or from the package of a target. */
function load(process, require) {
  const system = `${process.platform}-${process.arch}`
  const targets = BUILDS.includes(system) ? targetsFor(process) : []
  const failures = []
  for (const target of targets) {
    for (const path of [`./breakwater.${target}.node`, `@breakwater-js/native-${target}`]) {
      try {
        return require(path)
      } catch (error) {
        failures.push({ path, error })
      }
    }
  }
  throw missing(system, targets, failures)
}

/** Says what was looked for, what came of it, and what to do. */
function missing(system, targets, failures) {
  const tried = failures.map(({ path, error }) => {
    const absent = error?.code === 'MODULE_NOT_FOUND'
    return `\n  ${path}: ${absent ? 'not installed' : String(error?.message ?? error).split('\n')[0]}`
  })
  const cure =
    targets.length === 0
      ? `there are builds for ${BUILDS.join(', ')} only`
      : `install it: npm install @breakwater-js/native-${targets[0]}, or npm install --include=optional on the machine that runs the program`
  const message = `breakwater found no native module for ${targets[0] ?? system}: ${cure}${tried.join('')}`
  const { error: cause } = failures.find(({ error }) => error?.code !== 'MODULE_NOT_FOUND') ?? {}
  return Object.assign(new Error(message, { cause }), { code: 'ERR_NATIVE_MODULE' })
}

module.exports = load(process, require)
