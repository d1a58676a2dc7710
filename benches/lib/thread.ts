/** Runs a TypeScript module in a worker thread, to which tsx's loader is not handed down. */
import { Worker, type WorkerOptions } from 'node:worker_threads'

const loader = import.meta.resolve('tsx/esm/api')

/** Starts `module`, a URL, in a worker thread. */
export function thread(module: string, options: WorkerOptions): Worker {
  const code = `import(${JSON.stringify(loader)}).then(tsx => {
    tsx.register()
    return import(${JSON.stringify(module)})
  })`
  return new Worker(code, { ...options, eval: true })
}
