/** A port of this machine that nobody listens on, and that no connection takes by chance. */
export function freePort(): Promise<number>
