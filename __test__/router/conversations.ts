// What clients ask about connections, as conversations: each is held with a Redis and with nodes.
//
// A line is a client's letter and what it does:
//   a HELLO 3           it sends a command, and takes one reply
//   a/2 SUBSCRIBE x y   it takes two (none with 0)
//   a                   it takes one more reply, which nothing that it sends has asked for
//   a ~flags=b~ GET k   it sends the command again and again, until its reply fits
//   a !                 the server has hung up
// `{a}` is a client's number, `{a.addr}` its end of the connection and `{a.laddr}` the server's.

/** A conversation. */
export interface Conversation {
  name: string
  lines: string
  /** Whether the node's own store does not have what it is about. */
  store?: boolean
  /** The protocol that it is held in, if not in both. */
  only?: '2' | '3'
}

export const conversations: readonly Conversation[] = [
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
a EXEC
a ECHO heard
a/0 CLIENT REPLY OFF
a/0 MULTI
a/0 SET k w
a/0 EXEC
a CLIENT REPLY ON
a GET k`,
  },
  {
    name: 'CLIENT TRACKING, what is wrong',
    lines: `
a CLIENT TRACKING
a CLIENT TRACKING maybe
a CLIENT TRACKING ON NOPE
a CLIENT TRACKING ON REDIRECT
a CLIENT TRACKING ON REDIRECT x
a CLIENT TRACKING ON REDIRECT 999999999
a CLIENT TRACKING ON REDIRECT 0
a CLIENT TRACKING ON REDIRECT -1
a CLIENT TRACKING ON REDIRECT {b} REDIRECT {b}
a CLIENT TRACKING ON PREFIX
a CLIENT TRACKING ON PREFIX x
a CLIENT TRACKING ON BCAST OPTIN
a CLIENT TRACKING ON BCAST OPTOUT
a CLIENT TRACKING ON OPTIN OPTOUT
a CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
a CLIENT TRACKING ON BCAST PREFIX "a\\r\\n" PREFIX "a\\r\\nb"
a CLIENT TRACKING OFF
a CLIENT TRACKING OFF NOPE
a CLIENT TRACKING OFF OPTIN OPTOUT
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON OPTIN
a CLIENT TRACKING ON OPTOUT
a CLIENT TRACKING ON BCAST
a CLIENT TRACKING ON PREFIX x
a CLIENT TRACKINGINFO
a CLIENT TRACKING OFF
a CLIENT TRACKING ON OPTOUT
a CLIENT TRACKING ON OPTIN
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON
a CLIENT TRACKINGINFO
a CLIENT TRACKING OFF
a CLIENT TRACKING ON BCAST PREFIX a PREFIX b
a CLIENT TRACKING ON BCAST PREFIX ab
a CLIENT TRACKING ON BCAST PREFIX a
a CLIENT TRACKING ON
a CLIENT TRACKING ON BCAST PREFIX c
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON BCAST PREFIX ""
a CLIENT TRACKING OFF`,
  },
  {
    name: 'CLIENT CACHING, TRACKINGINFO and GETREDIR',
    lines: `
a CLIENT GETREDIR
a CLIENT TRACKINGINFO
a CLIENT CACHING YES
a CLIENT CACHING NO
a CLIENT CACHING nope
a CLIENT TRACKING ON
a CLIENT GETREDIR
a CLIENT TRACKINGINFO
a CLIENT CACHING YES
a CLIENT CACHING NO
a CLIENT CACHING nope
a CLIENT TRACKING OFF
a CLIENT GETREDIR
a CLIENT TRACKING ON OPTIN
a CLIENT TRACKINGINFO
a CLIENT CACHING YES
a CLIENT TRACKINGINFO
a CLIENT CACHING NO
a CLIENT CACHING nope
a PING
a CLIENT TRACKINGINFO
a CLIENT CACHING YES
a CLIENT TRACKING ON OPTIN
a CLIENT TRACKINGINFO
a CLIENT TRACKING OFF
a CLIENT TRACKING ON OPTOUT
a CLIENT CACHING NO
a CLIENT TRACKINGINFO
a CLIENT CACHING YES
a GET k
a CLIENT TRACKINGINFO
a CLIENT TRACKING OFF
a CLIENT TRACKING ON BCAST NOLOOP
a CLIENT CACHING YES
a CLIENT CACHING NO
a CLIENT TRACKINGINFO
a CLIENT TRACKING OFF
a CLIENT TRACKING ON REDIRECT {b}
a CLIENT GETREDIR
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON REDIRECT {a}
a CLIENT GETREDIR
a CLIENT TRACKINGINFO
a CLIENT TRACKING ON
a CLIENT GETREDIR
a CLIENT TRACKING OFF`,
  },
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
  {
    name: 'QUIT',
    lines: `
a QUIT
a !`,
  },
]

/** What a node says where it does not do as Redis 7.0 does. */
export const otherwise: readonly (Conversation & { said: string[] })[] = [
  {
    name: 'a HELLO that is refused changes nothing, as in 7.2',
    lines: `
a CLIENT SETNAME one
a HELLO 3 SETNAME two NOPE
a CLIENT GETNAME
a HELLO 3 SETNAME two AUTH nobody x
a CLIENT GETNAME`,
    said: [
      '+OK',
      "-ERR Syntax error in HELLO option 'NOPE'",
      '$3 one',
      '-WRONGPASS invalid username-password pair or user is disabled.',
      '$3 one',
    ],
  },
  {
    name: 'RESET gives up what 7.2 gives up',
    lines: `
a CLIENT NO-EVICT ON
a CLIENT NO-TOUCH ON
a ~flags=eT~ CLIENT INFO
a RESET
a ~flags=N~ CLIENT INFO`,
    said: ['+OK', '+OK', 'flags=eT', '+RESET', 'flags=N'],
  },
  {
    name: 'QUIT ends a connection whose replies are off',
    lines: `
a/0 CLIENT REPLY OFF
a/0 QUIT
a !`,
    said: ['', '', ''],
  },
  {
    name: 'a client that ends itself in a transaction gets the whole reply',
    store: true,
    lines: `
a MULTI
a CLIENT KILL ID {a} SKIPME no
a SET k v
a EXEC
a !`,
    said: ['+OK', '+QUEUED', '+QUEUED', '*2 :1 +OK', ''],
  },
  {
    name: 'CLIENT UNPAUSE ends any pause, and no pause is for ever',
    store: true,
    lines: `
b SET k v
a CLIENT PAUSE 9223372036854775807
a CLIENT PAUSE 100000
b/0 GET k
a CLIENT UNPAUSE
b`,
    said: ['+OK', '-ERR timeout is out of range', '+OK', '', '+OK', '$1 v'],
  },
  {
    name: 'SETINFO and NO-TOUCH, of 7.2',
    lines: `
a CLIENT SETINFO Lib-Name one
a CLIENT SETINFO lib-ver 1.0
a CLIENT SETINFO Lib-Ver "1 0"
a CLIENT SETINFO nope x
a CLIENT SETINFO lib-name
a ~lib-name=one lib-ver=1.0~ CLIENT INFO
a CLIENT SETINFO lib-name ""
a CLIENT NO-TOUCH maybe
a RESET
a ~lib-name= lib-ver=1.0~ CLIENT INFO`,
    said: [
      '+OK',
      '+OK',
      '-ERR Lib-Ver cannot contain spaces, newlines or special characters.',
      "-ERR Unrecognized option 'nope'",
      "-ERR wrong number of arguments for 'client|setinfo' command",
      'lib-name=one lib-ver=1.0',
      '+OK',
      '-ERR syntax error',
      '+RESET',
      'lib-name= lib-ver=1.0',
    ],
  },
]
