// Loads the native module that fits the running process. scripts/build-ts.mjs makes dist/binding/index.cjs
// of this file, and an ES module.
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

/** The targets that the process may run. */
function targetsFor({ platform, arch }) {
  if (!BUILDS.includes(`${platform}-${arch}`)) return []
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  return ['gnu', 'musl'].map(libc => `linux-${arch}-${libc}`)
}

/** Where the module of a target may be: beside this file, or in a package of its own. */
const placesOf = target => [`./breakwater.${target}.node`, `@breakwater-js/native-${target}`]

/** The targets of which a module is installed. */
function installed(targets, require) {
  return targets.filter(target =>
    placesOf(target).some(path => {
      try {
        return require.resolve(path) !== ''
      } catch {
        return false
      }
    }),
  )
}

/** Puts the target first whose C library is the process's own. */
function fittest(targets, process) {
  // A report takes as long as all else: most systems have one of them.
  if (targets.length < 2) return targets
  const libc = libcOf(process)
  return targets.sort((a, b) => Number(b.endsWith(libc)) - Number(a.endsWith(libc)))
}

/** The module, from beside this file or from the package of a target. */
function load(process, require) {
  const targets = targetsFor(process)
  const failures = []
  for (const target of fittest(installed(targets, require), process)) {
    for (const path of placesOf(target)) {
      try {
        return require(path)
      } catch (error) {
        failures.push({ path, error })
      }
    }
  }
  throw missing(process, fittest(targets, process), failures)
}

/** Says what was looked for, what came of it, and what to do. */
function missing({ platform, arch }, targets, failures) {
  const tried = targets.flatMap(placesOf).map(path => {
    const { error } = failures.find(failure => failure.path === path) ?? {}
    const absent = error === undefined || error?.code === 'MODULE_NOT_FOUND'
    return `\n  ${path}: ${absent ? 'not installed' : String(error?.message ?? error).split('\n')[0]}`
  })
  const [target] = targets
  const cure =
    target === undefined
      ? `there are builds for ${BUILDS.join(', ')} only`
      : `install it: npm install @breakwater-js/native-${target}, or npm install --include=optional on the machine that runs the program`
  const system = target ?? `${platform}-${arch}`
  const message = `breakwater found no native module for ${system}: ${cure}${tried.join('')}`
  const { error: cause } = failures.find(({ error }) => error?.code !== 'MODULE_NOT_FOUND') ?? {}
  return Object.assign(new Error(message, { cause }), { code: 'ERR_NATIVE_MODULE' })
}

module.exports = load(process, require)
