/** Whether it is installed (Debian's package `libfaketime`). */
export const canSetClocks: boolean
/** The environment of a process whose clock a file sets. */
export function clockOf(file: string): Record<string, string>
/** Sets it so many seconds ahead, or back; how long to wait until processes have seen it. */
export function setClock(file: string, seconds: number): number
