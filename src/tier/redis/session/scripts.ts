// What the server does in one step: whatever depends on its clock, or on what it has already. All
// times are the server's, so that the clocks of processes need not agree.
import { createHash } from 'node:crypto'
import type { Command, Word } from '../clients/client.ts'

/** A script, known to the server by its hash once it has run. */
export interface Script {
  /** The command by which `breakwater serve` does the same; none of what only a cluster is asked. */
  readonly name: string | undefined
  readonly source: string
  readonly hash: string
}

function script(name: string | undefined, source: string): Script {
  return { name, source, hash: createHash('sha1').update(source).digest('hex') }
}

/** The time, in microseconds: exact, since it is below 2^53. */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]`

/** What is known of a value that is there: when it was known, its version, whether it was deleted. */
const HEAD = `
local function head(key)
  local bytes = redis.pcall('GETRANGE', key, 0, 26)
  if type(bytes) ~= 'string' or #bytes < 27 or bytes:sub(1, 2) ~= '\\183\\2' then return end
  local known, _, version = struct.unpack('>ddd', bytes:sub(4))
  return known, version, bytes:byte(3) == 15
end`

/** KEYS: one. The time, and what it has. */
export const READ: Script = script(
  undefined,
  `${NOW}
return {string.format('%.0f', now), redis.call('MGET', KEYS[1])[1]}`,
)

/**
 * The epoch: its generation, and the clock of the tags, which is near the time and never goes back,
 * not even when it was lost.
 */
const EPOCH = `
local function epoch(at, tags, generation)
  local text = redis.pcall('GET', at)
  local now_in, clock = string.match(type(text) == 'string' and text or '', '^(%d+) (%d+)$')
  if now_in then return now_in, tonumber(clock), true end
  if redis.call('TYPE', tags).ok ~= 'zset' then redis.call('DEL', tags) end
  local top = redis.call('ZREVRANGE', tags, 0, 0, 'WITHSCORES')[2]
  return generation, math.max(now, tonumber(top) or 0), false
end
local function keep(at, generation, clock)
  local text = string.format('%s %.0f', generation, clock)
  redis.call('SET', at, text)
  return text
end`

/** KEYS: the epoch, the tags. ARGV: a generation. The epoch, which begins if there is none. */
export const BEGIN: Script = script(
  'BW.BEGIN',
  `${NOW}${EPOCH}
return keep(KEYS[1], epoch(KEYS[1], KEYS[2], ARGV[1]))`,
)

/**
 * A key that exists for a moment, if one is given: those who track hear its name, and by that of the
 * change, in the same step.
 */
const TELL = `
if KEYS[3] then
  redis.call('SET', KEYS[3], '')
  redis.call('DEL', KEYS[3])
end`

/** KEYS: the epoch, the tags, a mark or none. ARGV: the generation that begins. */
export const ADVANCE: Script = script(
  'BW.ADVANCE',
  `${NOW}${EPOCH}${TELL}
local _, clock = epoch(KEYS[1], KEYS[2], ARGV[1])
return keep(KEYS[1], ARGV[1], math.max(now, clock + 1))`,
)

/**
 * KEYS: the epoch, the tags, a mark or none. ARGV: a generation, the member of the tag, and how many are kept. What is
 * forgotten moves the floor on: whatever was known before that may have been invalidated.
 */
export const INVALIDATE: Script = script(
  'BW.INVALIDATE',
  `${NOW}${EPOCH}${TELL}
local generation, clock = epoch(KEYS[1], KEYS[2], ARGV[1])
if redis.call('TYPE', KEYS[2]).ok ~= 'zset' then redis.call('DEL', KEYS[2]) end
local floor = tonumber(redis.call('ZSCORE', KEYS[2], 'floor') or clock)
clock = math.max(now, clock + 1)
redis.call('ZADD', KEYS[2], string.format('%.0f', clock), ARGV[2])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[3]
if over > 0 then
  local last = redis.call('ZRANGE', KEYS[2], over, over, 'WITHSCORES')
  floor = math.max(floor, tonumber(last[2]))
end
floor = string.format('%.0f', floor)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', floor)
redis.call('ZADD', KEYS[2], floor, 'floor')
return keep(KEYS[1], generation, clock)`,
)

/** KEYS: the tags. ARGV: members. How far the clock was when each was invalidated, if not before. */
export const SCORES: Script = script(
  'BW.SCORES',
  `
local floor = redis.pcall('ZSCORE', KEYS[1], 'floor')
if type(floor) ~= 'string' then return end
local scores = {}
for i, member in ipairs(ARGV) do scores[i] = redis.call('ZSCORE', KEYS[1], member) or floor end
return scores`,
)

/**
 * KEYS: one, and if the epoch is not given, that and the tags. ARGV: what comes before the times, and
 * before and after the epoch; since when the value is known, '' for now; milliseconds that it is
 * fresh, that it is kept ('' for ever), and that deletions are remembered; its generation, and the
 * clock, or '' for the present one. Since when it is known, if it was stored.
 */
export const STORE: Script = script(
  'BW.STORE',
  `${NOW}${HEAD}${EPOCH}
local since = tonumber(ARGV[4])
-- Who took longer than deletions are remembered cannot know whether there was one.
if since and now - since > ARGV[7] * 1000 then return end
local version = struct.unpack('>d', ARGV[2])
local known, old, deleted = head(KEYS[1])
if known then
  if version < old then return end
  local newer = version > old and not deleted
  if since and since <= known and not newer then return end
end
local fresh = ARGV[5] == '' and math.huge or now / 1000 + ARGV[5]
local generation, clock = ARGV[8], ARGV[9]
if clock == '' then
  local isKept
  generation, clock, isKept = epoch(KEYS[2], KEYS[3], generation)
  if not isKept then keep(KEYS[2], generation, clock) end
end
local times, place = struct.pack('>dd', since or now, fresh), struct.pack('>dd', generation, clock)
local value = ARGV[1] .. times .. ARGV[2] .. place .. ARGV[3]
if ARGV[6] == '' then redis.call('SET', KEYS[1], value)
else redis.call('SET', KEYS[1], value, 'PX', ARGV[6]) end
return string.format('%.0f', since or now)`,
)

/**
 * KEYS. ARGV: milliseconds that a deletion is remembered, who asked for it. Versions are remembered
 * with it. The time.
 */
export const REMOVE: Script = script(
  'BW.REMOVE',
  `${NOW}${HEAD}
for _, key in ipairs(KEYS) do
  local _, version = head(key)
  local mark = '\\183\\2\\15' .. struct.pack('>ddd', now, 0, version or 0 / 0)
  mark = mark .. string.rep('\\0', 28) .. ARGV[2]
  -- A server that is full has no room for a mark; the value goes all the same.
  if redis.pcall('SET', key, mark, 'PX', ARGV[1]).err then redis.call('DEL', key) end
end
return string.format('%.0f', now)`,
)

/** KEYS: one. ARGV: a token. Removes the key if it has the token. */
export const RELEASE: Script = script(
  'BW.RELEASE',
  `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`,
)

/** A command that runs a script. */
export interface ScriptCommand extends Command {
  readonly script: Script
  readonly keys: readonly Word[]
}

/** A script with its keys, all in one server, and its arguments. */
export function call(script: Script, keys: readonly Word[], args: readonly Word[]): ScriptCommand {
  const words = ['EVALSHA', script.hash, String(keys.length), ...keys, ...args]
  const { name } = script
  const named = name === undefined ? undefined : { name, keys, args }
  return { script, keys, words, named, key: keys[0] as Word }
}
