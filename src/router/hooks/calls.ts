// The hooks of one thread: the native side asks, they answer, at once or later. What a hook throws is a
// reply to its client, and told; it ends nothing.
import { HookError } from '../../base/errors.ts'
import { now } from '../../base/runtime.ts'
import { timersOf } from '../../base/timers.ts'
import { hasRoute, type NativeHooks } from '../../native/router.ts'
import { Block, clientOf, GREETING, keyOf, Request, ROUTING } from './block.ts'
import type { CheckedHook, CheckedHooks } from './define.ts'
import { clientSaid, commandSaid, failed, late, routeSaid, type Said } from './ruling.ts'

/** Questions up to this length, in bytes, lie in one area that is used again and again. */
const AREA = 64 * 1024
/** A hook that fails is told of once in so many milliseconds. */
const PAUSE = 1000
/** Tells the native side that the answer comes later. */
const LATER = 0
/** What clients read: nothing of what the hook has thrown. */
const FAILED = 'ERR a hook of the node has failed'
const LATE = 'ERR a hook of the node has not answered in time'

/** Where answers go that come later. */
export type Answer = (client: number, question: number, said: unknown) => void

/**
 * Hooks as a native driver takes them; `undefined`, which takes them out of force, without any.
 *
 * @param told - hears of hooks that fail.
 */
export function nativeHooks(
  router: number,
  hooks: CheckedHooks | undefined,
  answer: Answer,
  told: (error: HookError) => void,
): NativeHooks | undefined {
  return hooks && new HookCalls(router, hooks, answer, told).native()
}

/** Calls the hooks of one thread. */
class HookCalls {
  readonly #router: number
  readonly #hooks: CheckedHooks
  readonly #answer: Answer
  readonly #told: (error: HookError) => void
  readonly #area = Buffer.allocUnsafeSlow(AREA)
  readonly #block = new Block(this.#area)
  /** Of each hook that has failed: until when it is not told of, and what it kept silent. */
  readonly #quiet = new Map<string, { until: number; count: number }>()

  constructor(
    router: number,
    hooks: CheckedHooks,
    answer: Answer,
    told: (error: HookError) => void,
  ) {
    this.#router = router
    this.#hooks = hooks
    this.#answer = answer
    this.#told = told
  }

  native(): NativeHooks {
    return {
      hooks: this.#hooks.commands.map(({ interest }) => interest),
      greets: this.#hooks.greeting === undefined ? 0 : 1,
      routes: this.#hooks.route?.prefixes,
      area: this.#area,
      ask: large => this.#ask(large === undefined ? this.#block : new Block(large)),
    }
  }

  #ask(block: Block): Said | typeof LATER {
    if (block.hook === GREETING) return this.#greet(block)
    if (block.hook === ROUTING) return this.#route(block)
    const hook = this.#hooks.commands[block.hook]!
    if (hook.deadline !== undefined) {
      // It may be read for as long as anybody likes.
      const request = new Request(this.#router, block.clone())
      return this.#askLater(block, hook, request, commandSaid)
    }
    const request = new Request(this.#router, block)
    try {
      return said(hook.handle(request), commandSaid)
    } catch (error) {
      return this.#fails(hook.name, error)
    } finally {
      request.end()
    }
  }

  #greet(block: Block): Said | typeof LATER {
    const hook = this.#hooks.greeting!
    const client = clientOf(this.#router, block.client)
    if (hook.deadline !== undefined) return this.#askLater(block, hook, client, clientSaid)
    try {
      return said(hook.handle(client), clientSaid)
    } catch (error) {
      return this.#fails(hook.name, error)
    }
  }

  #route(block: Block): Said | typeof LATER {
    const hook = this.#hooks.route!
    const read = (said: unknown) => routeSaid(said, prefix => hasRoute(this.#router, prefix))
    const key = keyOf(block)
    if (hook.deadline !== undefined) return this.#askLater(block, hook, key, read)
    try {
      return said(hook.handle(key), read)
    } catch (error) {
      return this.#fails(hook.name, error)
    }
  }

  #askLater<T, R>(
    { client, number }: Block,
    hook: CheckedHook<T, R>,
    of: T,
    read: (said: unknown) => Said,
  ): typeof LATER {
    let waits = true
    const answer = (said: Said) => {
      if (!waits) return
      waits = false
      cancel()
      this.#answer(client, number, said)
    }
    const cancel = timersOf(undefined).after(hook.deadline!, () => {
      answer(this.#fails(hook.name, new Error('it has not answered in time'), late(LATE)))
    })
    // Also what is thrown at once is thrown later: the native side is told once that it has to wait.
    const asked = async () => read(await hook.handle(of))
    asked().then(answer, error => waits && answer(this.#fails(hook.name, error)))
    return LATER
  }

  /** Tells of a failure, unless it did a moment ago; what the client is told. */
  #fails(hook: string, error: unknown, said = failed(FAILED)): Said {
    const quiet = this.#quiet.get(hook)
    if (quiet !== undefined && now() < quiet.until) {
      quiet.count++
    } else {
      this.#quiet.set(hook, { until: now() + PAUSE, count: 0 })
      this.#told(new HookError(hook, error, quiet?.count ?? 0))
    }
    return said
  }
}

/** What a hook that answers at once has returned. */
function said(returned: unknown, read: (said: unknown) => Said): Said {
  if (typeof (returned as Promise<unknown> | undefined)?.then !== 'function') return read(returned)
  // Nobody waits for it.
  Promise.resolve(returned).catch(() => {})
  throw new TypeError('it returned a promise: declare it with async: true')
}
