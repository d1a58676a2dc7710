// What a user has set up on a client, by its options or by commands since: as its server says it, so
// that connections which are made beside it are set up alike. What is not can be told at once.
import { TierError } from '../../../base/errors.ts'

/** How a connection is set up. */
export interface Setup {
  /** The number of the database. */
  readonly database: number
  readonly user: string
  /** What the connection is called; empty if it has no name. */
  readonly name: string
}

/** Sends a command by some connection. */
type Send = (...args: string[]) => Promise<unknown>

/** How a connection is set up; `undefined` if the server does not let us ask. */
export async function setupOf(send: Send): Promise<Setup | undefined> {
  const text = (await told(send, 'CLIENT', 'INFO')) ?? (await ownLine(send))
  const field = (name: string) => new RegExp(`(?:^| )${name}=(\\S*)`).exec(text ?? '')?.[1]
  const [database, user] = [field('db'), field('user')]
  if (database === undefined || user === undefined) return undefined
  return { database: Number(database), user, name: field('name') ?? '' }
}

/** What Redis before 6.2 says of a connection: a line among those of all. */
async function ownLine(send: Send): Promise<string | undefined> {
  const id = await told(send, 'CLIENT', 'ID')
  const all = id === undefined ? undefined : await told(send, 'CLIENT', 'LIST')
  return all?.split('\n').find(line => line.startsWith(`id=${id} `))
}

/** An answer as text; `undefined` if the server does not know the question, or does not let us ask. */
async function told(send: Send, ...command: string[]): Promise<string | undefined> {
  try {
    return String(await send(...command))
  } catch (error) {
    if (error instanceof Error && /^(ERR|NOPERM)\b/.test(error.message)) return undefined
    throw error
  }
}

/** Asks a client how it is set up, and remembers the last answer for while it does not answer. */
export class SetupQuestion {
  readonly #send: Send
  readonly #isReady: () => boolean
  #known: Setup | undefined

  /** @param isReady - whether an answer is to be expected soon. */
  constructor(send: Send, isReady: () => boolean) {
    this.#send = send
    this.#isReady = isReady
  }

  async answer(): Promise<Setup | undefined> {
    if (this.#known === undefined || this.#isReady()) this.#known = await setupOf(this.#send)
    return this.#known
  }
}

/** Throws if a connection of ours has not become what the user's is. */
export async function checkAlike(like: Setup | undefined, send: Send): Promise<void> {
  const made = like && (await setupOf(send))
  if (like === undefined || made === undefined) return
  if (made.user !== like.user) throw notAlike('user')
  if (made.database !== like.database) throw notAlike('database')
}

/** An error of connecting; one that says what to do where the server does not know who we are. */
export function explained(error: unknown): unknown {
  const isUnknown = error instanceof Error && /^(NOAUTH|WRONGPASS)\b/.test(error.message)
  return isUnknown ? notAlike('user', error) : error
}

/** What was set up by a command and cannot be copied. */
function notAlike(what: 'user' | 'database', cause?: unknown): TierError {
  const how =
    what === 'user'
      ? 'give `username` and `password` in its options, instead of sending AUTH'
      : 'give it in its options, instead of sending SELECT'
  return new TierError(
    `the connections beside the client cannot have its ${what}, which its options do not say: ${how}`,
    { cause },
  )
}
