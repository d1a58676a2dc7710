// Conversations on how a session begins and ends: HELLO, RESET, MONITOR, QUIT.
import type { Conversation } from './conversation.ts'

export const sessions: readonly Conversation[] = [
  {
    name: 'HELLO, its forms',
    lines: `
a HELLO
a HELLO 2
a HELLO 3
a HELLO 1
a HELLO 4
a HELLO 0
a HELLO -1
a HELLO x
a HELLO 3.0
a HELLO 99999999999999999999
a HELLO ""
a HELLO 2 SETNAME
a HELLO 3 SETNAME me
a CLIENT GETNAME
a HELLO 2 SETNAME "a b"
a CLIENT GETNAME
a HELLO 2 SETNAME ""
a CLIENT GETNAME
a HELLO 2 SETNAME one setname two
a CLIENT GETNAME
a HELLO 2 AUTH
a HELLO 2 AUTH x
a HELLO 2 AUTH default
a HELLO 3 AUTH default any
a HELLO 2 AUTH nobody x
a HELLO 2 AUTH default any SETNAME three
a CLIENT GETNAME
a HELLO 3 NOPE
a HELLO 3 "a\\r\\nb"
a HELLO 9 NOPE
a HELLO x SETNAME six
a HELLO SETNAME
a hello 2 auth default any setname seven
a CLIENT INFO`,
  },
  {
    name: 'HELLO while it tracks',
    lines: `
a CLIENT TRACKING ON
a HELLO 2
a CLIENT TRACKINGINFO
a GET k
b SET k v
a PING
a HELLO 3
a CLIENT TRACKINGINFO
a GET k
b SET k w
a
a HELLO
a GET k
a HELLO 2
b SET k x
a PING
a HELLO 3
a PING`,
  },
  {
    name: 'HELLO while it subscribes',
    lines: `
a SUBSCRIBE x
a HELLO
a HELLO 2
a HELLO 3
a CLIENT ID
a PING
a PING hello
a UNSUBSCRIBE
a HELLO 3
a SUBSCRIBE x
a HELLO 2
a PING
a CLIENT ID
b PUBLISH x hello
a
a RESET
a HELLO`,
  },
  {
    name: 'HELLO in a transaction',
    store: true,
    lines: `
a MULTI
a HELLO
a HELLO x
a HELLO 9
a HELLO 3 NOPE
a HELLO 2 SETNAME me
a EXEC
a CLIENT GETNAME
a HELLO
a MULTI
a HELLO 3
a EXEC
a CLIENT TRACKINGINFO
a MULTI
a SET k v
a HELLO 2
a EXEC
a CLIENT TRACKINGINFO`,
  },
  {
    name: 'HELLO 3 while keys are watched',
    store: true,
    lines: `
a WATCH k
a HELLO
a UNWATCH
a HELLO 3
a HELLO 2`,
  },
  {
    name: 'RESET of one that has chosen everything',
    lines: `
a HELLO 3 SETNAME me
a SELECT 3
a CLIENT TRACKING ON BCAST
a SUBSCRIBE x
a PSUBSCRIBE y
a RESET now
a RESET
a CLIENT INFO
a CLIENT GETNAME
a CLIENT TRACKINGINFO
b SET k v
b PUBLISH x hello
a PING
a GET k`,
  },
  {
    name: 'RESET while it subscribes in RESP2',
    lines: `
a HELLO 2
a SUBSCRIBE x
a RESET
a CLIENT INFO
b PUBLISH x hello
a PING`,
  },
  {
    name: 'RESET in a transaction, and while keys are watched',
    store: true,
    lines: `
a MULTI
a SET k v
a RESET
a EXEC
a GET k
a WATCH k
a RESET
a MULTI
b SET k w
a SET k v
a EXEC
a GET k
a MULTI
a NOPE
a RESET
a MULTI
a PING
a EXEC
a SSUBSCRIBE s
a RESET
a CLIENT INFO
b SPUBLISH s x
a PING`,
  },
  {
    name: 'RESET of one that monitors',
    store: true,
    lines: `
a MONITOR
a RESET
b PING
a PING
a CLIENT INFO`,
  },
  {
    name: 'what one that monitors may do',
    store: true,
    lines: `
a MONITOR
a QUIT
a !`,
  },
  {
    name: 'QUIT',
    lines: `
a QUIT
a !`,
  },
]
