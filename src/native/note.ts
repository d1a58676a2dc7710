// What the engine notes with an entry beside its value.

/** Extras of an entry, as the native side takes them. */
export type Note = [early: number, cost: number, version: number, epoch: number, ...tags: string[]]
