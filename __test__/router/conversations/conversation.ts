// A conversation of clients and a server, and how one is written down.
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
