/** The text of src/routing/hash-module.ts. */
export function hashModule(): Promise<string>
