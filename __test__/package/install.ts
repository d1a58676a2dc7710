// Packs what would be published and installs it in an empty folder, as a user would.
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newFolder } from '../helpers/folders.ts'
import { npm } from './runtimes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const programs = fileURLToPath(new URL('app', import.meta.url))

/** What a tarball holds, as `npm pack` tells. */
export interface Packed {
  /** The tarball's path. */
  tarball: string
  /** The paths of its files. */
  files: string[]
}

/** What would be published. */
export interface Packages {
  /** The package of the TypeScript facade. */
  main: Packed
  /** The package of this platform's binary. */
  platform: Packed
}

/** Both packages, installed. */
export interface Installed extends Packages {
  /** The folder in which both are installed, beside the programs of `app`. */
  folder: string
}

/** Packs and installs both packages. */
export function installPacked(): Installed {
  const temporary = newFolder('package')
  const { main, platform } = packInto(temporary)
  const folder = join(temporary, 'app')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  // Both at once, which is what the optional dependencies of the published package amount to.
  npm(folder, 'install', '--prefer-offline', '--ignore-scripts', main.tarball, platform.tarball)
  cpSync(programs, folder, { recursive: true })
  return { main, platform, folder }
}

/** Packs both packages into a folder. */
export function packInto(folder: string): Packages {
  return { main: pack(root, folder), platform: pack(platformPackage(folder), folder) }
}

function pack(folder: string, destination: string): Packed {
  const output = npm(
    folder,
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    destination,
  )
  const report = JSON.parse(output)
  const { filename, files } = Array.isArray(report) ? report[0] : Object.values(report)[0]
  return {
    tarball: join(destination, filename),
    files: files.map((file: { path: string }) => file.path),
  }
}

/** A copy of the platform's folder in npm/, with the binary that was built here. */
function platformPackage(temporary: string): string {
  const native = join(root, 'dist/binding')
  const binary = readdirSync(native).find(file => file.endsWith('.node'))
  const platform = binary?.split('.')[1]
  if (!binary || !platform) throw new Error('dist/binding has no binary: run npm run build')
  const folder = join(temporary, platform)
  cpSync(join(root, 'npm', platform), folder, { recursive: true })
  cpSync(join(native, binary), join(folder, binary))
  return folder
}
