// The options of an admin entrance: their shapes, and their checks.
import { readFileSync } from 'node:fs'
import { checkFunction } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { type AdminConfig, type CheckedAdmin, checkAdmin } from '../router/admin.ts'
import type { ReloadResult } from '../router/index.ts'

/** How to set up an admin entrance with `createAdmin`. */
export interface AdminOptions extends AdminConfig {
  /** The token, at least 16 characters, instead of `tokenFile`. */
  token?: string | undefined
  /** What `POST /reload` does. Default: `router.reload()`. */
  reload?: (() => Promise<ReloadResult>) | undefined
  /** What `POST /drain` begins; its end is not waited for. Default: `router.close()`. */
  drain?: (() => Promise<void>) | undefined
}

/** The same, checked, with the token that its file holds. */
export interface CheckedAdminOptions extends CheckedAdmin {
  token: string | undefined
  reload: (() => Promise<ReloadResult>) | undefined
  drain: (() => Promise<void>) | undefined
}

/** The fewest characters of a token: 16 random ones cannot be guessed through a network. */
const SHORTEST = 16
/** The most bytes of its file. */
const LONGEST = 4096
/** What a token has to be, in words. */
export const TOKEN = `a token of at least ${SHORTEST} characters without spaces`

/** Checks the options, and reads the token. Throws {@link InvalidOptionError}; it shows no token. */
export function checkAdminOptions(options: AdminOptions, path = ''): CheckedAdminOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('options', options, "an object, as { listen: '127.0.0.1:9121' }")
  }
  const { token, reload, drain, ...config } = options
  const checked = checkAdmin(config, path)
  if (token !== undefined && checked.tokenFile !== undefined) {
    throw new InvalidOptionError(`${path}token`, 'given', 'left out where there is tokenFile')
  }
  if (token !== undefined && !isToken(token)) {
    throw new InvalidOptionError(`${path}token`, typeof token, TOKEN)
  }
  return {
    ...checked,
    token: token ?? (checked.tokenFile && readToken(`${path}tokenFile`, checked.tokenFile)),
    reload: checkFunction(`${path}reload`, reload),
    drain: checkFunction(`${path}drain`, drain),
  }
}

/** The token that a file holds, without white space around it. Throws {@link InvalidOptionError}. */
export function readToken(option: string, file: string): string {
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InvalidOptionError(option, file, `a file that can be read (${code})`)
  }
  if (isToken(token)) return token
  throw new InvalidOptionError(option, file, `a file that holds ${TOKEN}`)
}

/** Whether it can be one. */
export function isToken(token: unknown): boolean {
  return typeof token === 'string' && /^[!-~]+$/.test(token) && inBounds(token.length)
}

function inBounds(length: number): boolean {
  return length >= SHORTEST && length <= LONGEST
}
