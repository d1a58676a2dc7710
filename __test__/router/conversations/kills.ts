// Conversations on how clients are ended: CLIENT KILL.
import type { Conversation } from './conversation.ts'

export const kills: readonly Conversation[] = [
  {
    name: 'CLIENT KILL, what is wrong',
    lines: `
a CLIENT KILL nowhere
a CLIENT KILL 127.0.0.1:1
a CLIENT KILL ""
a CLIENT KILL ID
a CLIENT KILL ID x
a CLIENT KILL ID 0
a CLIENT KILL ID -1
a CLIENT KILL ID 1.5
a CLIENT KILL ID 99999999999999999999
a CLIENT KILL ID 999999999
a CLIENT KILL id 999999999 ID 999999998
a CLIENT KILL ADDR 127.0.0.1:1
a CLIENT KILL LADDR 127.0.0.1:1
a CLIENT KILL TYPE nope
a CLIENT KILL TYPE "a\\r\\nb"
a CLIENT KILL TYPE pubsub
a CLIENT KILL TYPE replica
a CLIENT KILL TYPE slave
a CLIENT KILL TYPE master
a CLIENT KILL USER nobody
a CLIENT KILL USER "a\\r\\nb"
a CLIENT KILL SKIPME yes ID 999999999
a CLIENT KILL SKIPME no ID 999999999
a CLIENT KILL SKIPME maybe
a CLIENT KILL NOPE 1
a CLIENT KILL ID 999999999 TYPE
a CLIENT KILL TYPE normal ID 999999999
a CLIENT KILL TYPE nope ID 999999999 x
a CLIENT KILL ID x TYPE
a CLIENT KILL MAXAGE 10
a CLIENT KILL ID {a}
a CLIENT KILL ADDR {a.addr}
a CLIENT KILL USER default ID {a}
a CLIENT LIST`,
  },
  ...['{b.addr}', 'ID {b}', 'ADDR {b.addr}', 'id {b} addr {b.addr} type normal user default'].map(
    filter => ({
      name: `CLIENT KILL ${filter}`,
      lines: `
b PING
a CLIENT KILL ${filter}
b !
a CLIENT LIST
a CLIENT KILL ${filter}`,
    }),
  ),
  ...['LADDR {b.laddr}', 'TYPE normal', 'USER default', 'SKIPME yes'].map(filter => ({
    name: `CLIENT KILL ${filter} ends all others`,
    lines: `
b PING
c PING
a CLIENT KILL ${filter}
b !
c !
a CLIENT LIST
a CLIENT KILL ${filter} SKIPME yes`,
  })),
  ...['{a.addr}', 'ID {a} SKIPME no', 'TYPE normal SKIPME no', 'ADDR {a.addr} SKIPME NO'].map(
    filter => ({
      name: `CLIENT KILL ${filter} ends oneself behind the reply`,
      lines: `
a CLIENT KILL ${filter}
a !`,
    }),
  ),
  {
    name: 'CLIENT KILL TYPE pubsub',
    lines: `
b SUBSCRIBE x
c PSUBSCRIBE x
a CLIENT KILL TYPE normal
a CLIENT KILL TYPE pubsub
b !
c !
a CLIENT LIST`,
  },
  {
    name: 'CLIENT KILL TYPE pubsub, of one that subscribes to a shard, and not of one that does no more',
    store: true,
    lines: `
b SSUBSCRIBE x
c SUBSCRIBE x
c UNSUBSCRIBE
a CLIENT KILL TYPE pubsub
b !
c PING
a CLIENT LIST`,
  },
  {
    name: 'CLIENT KILL of one that blocks, and of one that monitors',
    store: true,
    lines: `
b/0 BLPOP l 0
a ~flags=b~ CLIENT LIST ID {b}
a CLIENT KILL ID {b}
b !
a LPUSH l x
a LLEN l
c MONITOR
a CLIENT KILL ID {c}`,
  },
  {
    name: 'CLIENT KILL in a transaction',
    store: true,
    lines: `
a MULTI
a SET k v
a CLIENT KILL ID {b}
a GET k
a SET k w
a EXEC
b !
a GET k`,
  },
]
