// What a service manager is told: lines in a datagram, which Node.js cannot send.
import { sendDatagram } from '../native/router.ts'

/**
 * Sends lines to the socket of a manager; one that begins with `@` has no file. Whoever does not hear
 * is not waited for.
 */
export function tellManager(socket: string, lines: readonly string[]): void {
  sendDatagram?.(socket, lines.join('\n'))
}
