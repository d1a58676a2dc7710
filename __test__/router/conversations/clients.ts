// Conversations on who is connected: names, CLIENT ID, INFO and LIST.
import type { Conversation } from './conversation.ts'

export const clients: readonly Conversation[] = [
  {
    name: 'CLIENT without a subcommand, with one that is none, and with too many words',
    lines: `
a CLIENT
a CLIENT NOPE
a CLIENT "a\\r\\nb"
a CLIENT ID x
a CLIENT INFO x
a CLIENT LIST x
a CLIENT LIST TYPE
a CLIENT LIST TYPE normal x
a CLIENT LIST ID
a CLIENT KILL
a CLIENT GETNAME x
a CLIENT SETNAME
a CLIENT SETNAME x y
a CLIENT NO-EVICT
a CLIENT NO-EVICT x
a CLIENT NO-EVICT on off
a CLIENT REPLY
a CLIENT REPLY x
a CLIENT GETREDIR x
a CLIENT TRACKINGINFO x
a CLIENT CACHING
a CLIENT CACHING yes no
a CLIENT TRACKING`,
  },
  {
    name: 'names',
    lines: `
a CLIENT GETNAME
a CLIENT SETNAME me
a CLIENT GETNAME
a CLIENT SETNAME "two words"
a CLIENT SETNAME "a\\nb"
a CLIENT SETNAME "\\u007f"
a CLIENT SETNAME "ä"
a CLIENT GETNAME
a CLIENT INFO
a CLIENT SETNAME ""
a CLIENT GETNAME
a client setname ME
a client getname
a CLIENT LIST`,
  },
  {
    name: 'CLIENT ID, INFO and LIST',
    lines: `
a CLIENT ID
b CLIENT SETNAME other
a CLIENT LIST
a client list type normal
a CLIENT LIST TYPE NORMAL
a CLIENT LIST TYPE pubsub
a CLIENT LIST TYPE replica
a CLIENT LIST TYPE slave
a CLIENT LIST TYPE master
a CLIENT LIST TYPE nope
a CLIENT LIST TYPE "a\\r\\nb"
a CLIENT LIST ID {b}
a CLIENT LIST ID {b} {a} {b}
a CLIENT LIST ID 0
a CLIENT LIST ID -1
a CLIENT LIST ID x
a CLIENT LIST ID {a} x
a CLIENT LIST ID 999999999
a CLIENT LIST ID 99999999999999999999
a CLIENT LIST NOPE 1
a SELECT 3
a CLIENT INFO
a CLIENT NO-EVICT ON
a CLIENT INFO
a CLIENT NO-EVICT off
a CLIENT INFO
b GET k
b PING
a CLIENT LIST
b GET
a CLIENT LIST
b NOPE
a CLIENT LIST
b client
a CLIENT LIST
b CLIENT NOPE
a CLIENT LIST
b SET k v
b nope x
b mget k k
a CLIENT LIST`,
  },
  {
    name: 'CLIENT LIST tells who subscribes',
    lines: `
b/2 SUBSCRIBE x y
b PSUBSCRIBE p*
a CLIENT LIST
a CLIENT LIST TYPE pubsub
a CLIENT LIST TYPE normal
b UNSUBSCRIBE x
b PUNSUBSCRIBE
a CLIENT LIST ID {b}
b UNSUBSCRIBE
a CLIENT LIST ID {b}
a CLIENT LIST TYPE pubsub`,
  },
  {
    name: 'CLIENT LIST tells who subscribes to shards',
    store: true,
    lines: `
b SSUBSCRIBE s
a CLIENT LIST
a CLIENT LIST TYPE pubsub
b SUNSUBSCRIBE
a CLIENT LIST ID {b}`,
  },
  {
    name: 'CLIENT LIST tells who tracks',
    lines: `
a CLIENT TRACKING ON
a CLIENT INFO
a CLIENT TRACKING OFF
a CLIENT INFO
a CLIENT TRACKING ON BCAST PREFIX x
a CLIENT LIST
a CLIENT TRACKING OFF
a CLIENT TRACKING ON REDIRECT {b}
a CLIENT INFO
a CLIENT LIST
a RESET
a CLIENT LIST`,
  },
  {
    name: 'CLIENT LIST tells who has another one told that has gone',
    only: '3',
    lines: `
a CLIENT TRACKING ON REDIRECT {b}
a GET k
c CLIENT KILL ID {b}
b !
c SET k v
a
a CLIENT INFO
a CLIENT TRACKINGINFO
a CLIENT GETREDIR
a CLIENT TRACKING OFF
a CLIENT INFO`,
  },
  {
    name: 'CLIENT LIST tells who queues, watches, blocks and monitors',
    store: true,
    lines: `
b MULTI
a CLIENT LIST
b SET k v
b GET k
a CLIENT LIST
b DISCARD
a CLIENT LIST
b WATCH k
a CLIENT LIST
b UNWATCH
b/0 BLPOP l 0
a ~flags=b~ CLIENT LIST ID {b}
a RPUSH l x
b
a CLIENT LIST
b MONITOR
a CLIENT LIST
a CLIENT LIST TYPE normal
a CLIENT LIST TYPE replica`,
  },
  {
    name: 'CLIENT LIST in a transaction',
    store: true,
    lines: `
a MULTI
a CLIENT INFO
a CLIENT SETNAME me
a CLIENT GETNAME
a CLIENT KILL ID 999999999
a CLIENT LIST ID {a}
a EXEC
a CLIENT INFO`,
  },
]
