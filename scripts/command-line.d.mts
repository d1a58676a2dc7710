/** A kind of value that an option has. */
export interface Kind<T> {
  readonly otherwise: T
}

/** Values of a kind, and what there is where the option was not given: nothing, if that is left out. */
interface Kinds<T> {
  (): Kind<T | undefined>
  (otherwise: T): Kind<T>
}

/** An option without a value. */
export function flag(): Kind<boolean>
/** Whatever is not empty. */
export const text: Kinds<string>
/** A whole number. */
export const whole: Kinds<number>
/** A number. */
export const above0: Kinds<number>
/** Whole numbers with commas between them; 1k is a thousand, 1m a million. */
export const wholes: Kinds<number[]>
/** A duration, in milliseconds. */
export const duration: Kinds<number>
/** One of these texts. */
export function oneOf<T extends string>(choices: readonly T[]): Kind<T | undefined>
export function oneOf<T extends string>(choices: readonly T[], otherwise: T): Kind<T>
/** Some of these texts, with commas between them. */
export function someOf<T extends string>(choices: readonly T[], otherwise: T[]): Kind<T[]>
/** An option that may be repeated. */
export function repeated<T>(one: Kind<T | undefined>): Kind<T[] | undefined>

/** What a script takes. */
export interface CommandLine<O extends Record<string, Kind<unknown>>> {
  /** What `--help` prints. */
  readonly help: string
  /** The kinds of all options by their names. */
  readonly options: O
  /** What else may be given: what one is, the ones that there are, and how many at the most. */
  readonly names?: { one: string; among?: readonly string[]; most?: number }
}

/** The options and names that were given. Ends the process if they ask for help, or if one is wrong. */
export function commandLine<O extends Record<string, Kind<unknown>>>(
  line: CommandLine<O>,
): { values: { [N in keyof O]: O[N]['otherwise'] }; names: string[] }

/** Says what is wrong, and ends the process with code 2. */
export function refuse(why: string): never
