// Which library a client is of. Neither is imported: a client is known by its shape.
import { InvalidOptionError } from '../../../base/errors.ts'
import type { Client } from './client.ts'
import { ioRedis, isIoRedis } from './ioredis.ts'
import { isNodeRedis, nodeRedis } from './node-redis.ts'

/**
 * A client as it is used here.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: what is given is no client, or one whose settings cannot
 * be kept to.
 */
export function clientOf(client: object): Client {
  if (typeof client === 'object' && client !== null) {
    if (isIoRedis(client)) return ioRedis(client)
    if (isNodeRedis(client)) return nodeRedis(client)
  }
  throw new InvalidOptionError('client', client, 'a client of ioredis or of node-redis')
}
