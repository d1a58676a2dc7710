// The options of a pool, checked.

import { availableParallelism } from 'node:os'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { WorkerOptions } from 'node:worker_threads'
import {
  checkCount,
  checkFunction,
  checkKnown,
  checkShape,
  needFunction,
} from '../../base/checks.ts'
import { InvalidOptionError } from '../../base/errors.ts'
import type { Duration } from '../../base/types.ts'
import { milliseconds } from '../../base/units.ts'
import type { WorkerDeath } from './types.ts'

/** How hot keys are found, and how far they are spread. */
export interface HotKeyOptions {
  /** The share of all tasks from which on a key is hot, above 0 and below 1; 0.1 if left out. */
  share?: number | undefined
  /** How many workers share its tasks: the first ones on the ring; 2 if left out. */
  copies?: number | undefined
}

/** What a pool is made of. */
export interface PoolOptions<T> {
  /**
   * The module of the tasks: its default export does one. It may export `close`, which is called before
   * a worker ends. An absolute path, or a `file:` URL.
   */
  file: string | URL
  /** The key of a task: all tasks of one key meet the same worker, but those of hot keys. */
  route: (task: T) => string
  /** How many workers; as many as the machine has cores if left out. */
  workers?: number | undefined
  /** How many tasks a worker does at once; 16 if left out. Say 1 where a task keeps it computing. */
  concurrency?: number | undefined
  /** How many tasks may wait for a worker; 1,000 if left out. One more is refused: `ERR_POOL_BUSY`. */
  queue?: number | undefined
  /** How long a task may take, waiting included; `'30s'` if left out. */
  timeout?: Duration | undefined
  /**
   * How often a task is given to the replacement of a worker that died while it had it; 0 if left out:
   * it fails with `ERR_WORKER_DIED`. Only for tasks that may be done twice.
   */
  retries?: number | undefined
  /**
   * How long a worker may not answer after a task's time is over, before it is replaced: one that
   * computes without end never would. `'10s'` if left out.
   */
  stuckAfter?: Duration | undefined
  /** Spreads hot keys over several workers; `false` if left out: each key has one. */
  hot?: boolean | HotKeyOptions | undefined
  /** What every task finds as `context.data`; copied to each worker. */
  data?: unknown
  /** How the threads are started, as for `Worker` of `node:worker_threads`. */
  thread?: Pick<WorkerOptions, 'argv' | 'env' | 'execArgv' | 'resourceLimits'> | undefined
  /** Hears of each worker that ended by itself. It is replaced. */
  onWorkerDeath?: ((death: WorkerDeath) => void) | undefined
}

const NAMES = [
  ...['file', 'route', 'workers', 'concurrency', 'queue', 'timeout', 'retries', 'stuckAfter'],
  ...['hot', 'data', 'thread', 'onWorkerDeath'],
]

/** More threads than this are a mistake. */
const MOST_WORKERS = 1_024

/** Checks a pool's options and fills in what was left out. */
export function checkPool<T>(given: PoolOptions<T>) {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('options', given, 'an object { file, route, … }')
  }
  checkKnown('', given, NAMES)
  const { workers = availableParallelism(), concurrency = 16, queue = 1_000, retries = 0 } = given
  const { timeout = '30s', stuckAfter = '10s' } = given
  if (checkCount('workers', workers) > MOST_WORKERS) {
    throw new InvalidOptionError('workers', workers, `at most ${MOST_WORKERS}`)
  }
  return {
    file: checkFile(given.file),
    route: needFunction('route', given.route),
    workers,
    concurrency: checkCount('concurrency', concurrency, { endless: true }),
    queue: checkCount('queue', queue, { least: 0, endless: true }),
    timeout: milliseconds('timeout', timeout),
    retries: checkCount('retries', retries, { least: 0 }),
    stuckAfter: milliseconds('stuckAfter', stuckAfter),
    hot: checkHot(given.hot),
    data: checkData(given.data),
    thread: checkShape('thread', given.thread, ['argv', 'env', 'execArgv', 'resourceLimits']),
    onWorkerDeath: checkFunction('onWorkerDeath', given.onWorkerDeath),
  }
}

/** What {@link checkPool} gives. */
export type CheckedPool<T> = ReturnType<typeof checkPool<T>>

/** The URL of the module. */
function checkFile(file: string | URL): string {
  const allowed = 'an absolute path or a file: URL'
  if (typeof file === 'string' && isAbsolute(file)) return pathToFileURL(file).href
  const url = file instanceof URL || typeof file === 'string' ? String(file) : ''
  if (!url.startsWith('file:')) throw new InvalidOptionError('file', file, allowed)
  try {
    fileURLToPath(url)
  } catch (cause) {
    throw new InvalidOptionError('file', file, allowed, { cause })
  }
  return url
}

function checkData(data: unknown): unknown {
  try {
    return structuredClone(data)
  } catch (cause) {
    throw new InvalidOptionError('data', data, 'what structured clone takes', { cause })
  }
}

function checkHot(given: boolean | HotKeyOptions | undefined) {
  if (given === undefined || given === false) return undefined
  const { share = 0.1, copies = 2 } = checkShape('hot', given === true ? {} : given, [
    'share',
    'copies',
  ])
  if (!(typeof share === 'number' && share > 0 && share < 1)) {
    throw new InvalidOptionError('hot.share', share, 'a number above 0 and below 1')
  }
  return { share, copies: checkCount('hot.copies', copies, { least: 2 }) }
}
