// Where the program of a pool's threads lies: beside this file, and beside the published one.
import { extname } from 'node:path'

/** The file that a thread of a pool runs. */
export const program = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)
