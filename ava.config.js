// TypeScript tests run through tsx, each file in a process of its own: they start and end workers.
export default {
  files: ['__test__/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx', '--expose-gc'],
  workerThreads: false,
  // Longer than any test gives itself: AVA forgets a limit that passes while a test's own one still runs, and
  // then waits for ever for a file that does not end.
  timeout: '16m',
}
