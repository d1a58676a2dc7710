// TypeScript tests run through tsx, each file in a process of its own: they start and end workers.
export default {
  files: ['__test__/**/*.test.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx', '--expose-gc'],
  workerThreads: false,
  // The stress test alone takes minutes on a busy machine.
  timeout: '5m',
}
