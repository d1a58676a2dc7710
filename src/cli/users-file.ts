// The users of a node in a file of their own, of JSON or YAML: a list of them, or an object that has it.
import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import type { RouterConfig } from '../router/config.ts'
import type { RouterUser } from '../router/index.ts'
import { ConfigFileError, readConfig } from './file.ts'

const KINDS = ['.json', '.yaml', '.yml']

/** Users, and the file in which each of their options lies. */
export interface FileOfUsers {
  users: RouterUser[]
  /** Where an option of a user was given; `undefined` if it is none. */
  pathOf(option: string): string | undefined
}

/**
 * Reads the file of users that a configuration names. Throws {@link ConfigFileError}, which names it and
 * shows nothing of it.
 *
 * @param nameOf - how the configuration calls an option.
 */
export async function readUsers(
  { usersFile: file, users, password }: RouterConfig,
  nameOf: (option: string) => string,
): Promise<FileOfUsers> {
  const named = nameOf('usersFile')
  if (typeof file !== 'string' || !KINDS.includes(extname(file))) {
    const given = typeof file === 'string' ? `'${file}'` : typeof file
    throw new ConfigFileError(`${named} must be a file of ${KINDS.join(', ')}, not ${given}`)
  }
  const other = users !== undefined ? 'users' : password !== undefined ? 'password' : undefined
  if (other !== undefined) {
    throw new ConfigFileError(`${nameOf(other)} must be left out where there is ${named}`)
  }
  if (!existsSync(file)) throw new ConfigFileError(`${named} must be a file, and ${file} is none`)
  const read: unknown = await readConfig(file)
  if (Array.isArray(read)) return { users: read, pathOf: option => pathIn(file, option, '') }
  const isObject = typeof read === 'object' && read !== null
  const [unknown] = isObject ? Object.keys(read).filter(key => key !== 'users') : []
  if (!isObject || unknown !== undefined || !Array.isArray((read as RouterConfig).users)) {
    const found = unknown === undefined ? 'no list' : 'other options'
    const allowed = 'a list of users, or an object that has it as users and nothing else'
    throw new ConfigFileError(`${file} must hold ${allowed}: it has ${found}`)
  }
  return {
    users: (read as { users: RouterUser[] }).users,
    pathOf: option => pathIn(file, option, 'users'),
  }
}

function pathIn(file: string, option: string, begin: string): string | undefined {
  const rest = /^users(?=\[|$)(.*)$/s.exec(option)?.[1]
  return rest === undefined ? undefined : `${file}: ${begin}${rest}`
}
