// What clients ask about connections, as conversations: each is held with a Redis and with nodes.
import { clients } from './clients.ts'
import type { Conversation } from './conversation.ts'
import { kills } from './kills.ts'
import { pauses } from './pauses.ts'
import { replies } from './replies.ts'
import { sessions } from './sessions.ts'
import { tracking } from './tracking.ts'

export type { Conversation } from './conversation.ts'
export { otherwise } from './otherwise.ts'

export const conversations: readonly Conversation[] = [
  ...clients,
  ...kills,
  ...replies,
  ...tracking,
  ...sessions,
  ...pauses,
]
