// Conversations in which a node does not say what Redis 7.0 says, but what it says itself.
import type { Conversation } from './conversation.ts'

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
