// Conversations on who waits: CLIENT PAUSE and UNBLOCK.
import type { Conversation } from './conversation.ts'

export const pauses: readonly Conversation[] = [
  {
    name: 'CLIENT PAUSE, what is wrong',
    store: true,
    lines: `
a CLIENT PAUSE
a CLIENT PAUSE x
a CLIENT PAUSE -1
a CLIENT PAUSE 1.5
a CLIENT PAUSE 99999999999999999999
a CLIENT PAUSE x NOPE
a CLIENT PAUSE -1 NOPE
a CLIENT PAUSE 1 NOPE
a CLIENT PAUSE 1 WRITE x
a CLIENT PAUSE x WRITE
a CLIENT PAUSE 0
a CLIENT PAUSE 0 write
a CLIENT PAUSE 1 ALL
a PING
a CLIENT UNPAUSE x
a CLIENT UNPAUSE`,
  },
  {
    name: 'CLIENT PAUSE WRITE, and what goes on',
    store: true,
    lines: `
a CLIENT PAUSE 100000 WRITE
a GET k
a PING
b/0 SET k v
a GET k
a CLIENT UNPAUSE
b
a GET k`,
  },
  {
    name: 'CLIENT UNBLOCK',
    store: true,
    lines: `
a CLIENT UNBLOCK
a CLIENT UNBLOCK x
a CLIENT UNBLOCK 1.5
a CLIENT UNBLOCK -1
a CLIENT UNBLOCK 0
a CLIENT UNBLOCK 999999999
a CLIENT UNBLOCK x NOPE
a CLIENT UNBLOCK 999999999 NOPE
a CLIENT UNBLOCK 999999999 TIMEOUT x
a CLIENT UNBLOCK {a}
a CLIENT UNBLOCK {b} ERROR
b/0 BLPOP l 0
a ~flags=b~ CLIENT LIST ID {b}
a ~:1~ CLIENT UNBLOCK {b}
b
b/0 BLPOP l 0
a ~flags=b~ CLIENT LIST ID {b}
a ~:1~ CLIENT UNBLOCK {b} error
b
b/0 BRPOPLPUSH l m 0
a ~flags=b~ CLIENT LIST ID {b}
a ~:1~ CLIENT UNBLOCK {b} timeout
b
b PING
a CLIENT UNBLOCK {b}`,
  },
  {
    name: 'CLIENT PAUSE in a transaction',
    store: true,
    lines: `
a MULTI
a CLIENT PAUSE 10 WRITE
a SET k v
a EXEC
a GET k
a CLIENT UNPAUSE`,
  },
  {
    name: 'a transaction that is refused, and one that has to be',
    store: true,
    lines: `
b MULTI
b SET k v
b NOPE
b GET k
a CLIENT LIST
b EXEC
a CLIENT LIST
b MULTI
b SUBSCRIBE x
b CLIENT NO-EVICT ON
b CLIENT INFO
b EXEC
a CLIENT LIST`,
  },
  {
    name: 'a pause holds up clients, which are shown as waiting',
    store: true,
    lines: `
b CLIENT ID
a CLIENT PAUSE 100000 WRITE
b/0 SET k v
a ~flags=b~ CLIENT LIST ID {b}
a CLIENT UNPAUSE
b
a CLIENT LIST`,
  },
]
