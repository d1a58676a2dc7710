// Conversations on what is answered at all: CLIENT REPLY.
import type { Conversation } from './conversation.ts'

export const replies: readonly Conversation[] = [
  {
    name: 'CLIENT REPLY',
    lines: `
a CLIENT REPLY ON
a/0 CLIENT REPLY OFF
a/0 PING
a/0 CLIENT REPLY OFF
a/0 CLIENT REPLY SKIP
a/0 NOPE
a CLIENT REPLY ON
a PING
a/0 CLIENT REPLY SKIP
a/0 PING
a ECHO heard
a/0 CLIENT REPLY SKIP
a/0 CLIENT REPLY SKIP
a/0 ECHO unheard
a ECHO heard2
a/0 CLIENT REPLY SKIP
a CLIENT REPLY ON
a ECHO heard3
a/0 client reply skip
a/0 CLIENT REPLY OFF
a/0 PING
a client reply on
a CLIENT REPLY x
a/0 CLIENT REPLY OFF
a/0 CLIENT REPLY x
a/0 CLIENT REPLY
a CLIENT REPLY ON`,
  },
  {
    name: 'CLIENT REPLY and RESET',
    lines: `
a/0 CLIENT REPLY OFF
a RESET
a ECHO heard
a/0 CLIENT REPLY SKIP
a/0 RESET
a ECHO heard2`,
  },
  {
    name: 'CLIENT REPLY and messages',
    lines: `
a/0 CLIENT REPLY OFF
a SUBSCRIBE x
b PUBLISH x hello
a
a/0 CLIENT REPLY ON`,
    only: '2',
  },
  {
    name: 'CLIENT REPLY OFF and pushes',
    lines: `
a/0 CLIENT REPLY OFF
a SUBSCRIBE x
b PUBLISH x hello
a
a/0 PING
a CLIENT REPLY ON
a PING`,
    only: '3',
  },
  {
    name: 'CLIENT REPLY in a transaction',
    store: true,
    lines: `
a MULTI
a CLIENT REPLY SKIP
a SET k v
a GET k
a/0 EXEC
a/0 ECHO unheard
a/0 CLIENT REPLY OFF
a/0 MULTI
a/0 SET k w
a/0 EXEC
a CLIENT REPLY ON
a GET k`,
  },
]
