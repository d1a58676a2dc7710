// What the code declares: the fields of exported types, read by TypeScript itself.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
// The project's own compiler has no API; this is the one that builds the API reference.
import ts from '../../docs/api/node_modules/typescript/lib/typescript.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The sources of the package's entry points, by their names. */
export const entries = new Map<string, string>(
  Object.entries<{ import?: { default: string } }>(manifest.exports)
    .filter(([, target]) => target.import !== undefined)
    .map(([name, target]) => [
      name.replace('.', 'breakwater'),
      join(root, target.import!.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')),
    ]),
)

const program = ts.createProgram([...entries.values()], {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  typeRoots: [join(root, 'node_modules/@types')],
  types: ['node'],
})
const checker = program.getTypeChecker()

/** The exported names of an entry, with the symbols that they stand for. */
function exportsOf(entry: string): Map<string, ts.Symbol> {
  const file = program.getSourceFile(entries.get(entry)!)!
  const symbols = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!)
  return new Map(
    symbols.map(symbol => [
      symbol.name,
      symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
    ]),
  )
}

/** The names of an entry's exported types. */
export function typesOf(entry: string): string[] {
  const isType = ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias
  return [...exportsOf(entry)].filter(([, { flags }]) => flags & isType).map(([name]) => name)
}

/** The names that an entry exports, types included. */
export function namesOf(entry: string): string[] {
  return [...exportsOf(entry).keys()]
}

/** The methods and properties of an exported class, without what is internal. */
export function membersOf(entry: string, name: string): string[] {
  const type = checker.getDeclaredTypeOfSymbol(exportsOf(entry).get(name)!)
  return checker
    .getPropertiesOfType(type)
    .filter(member => isPublic(member) && !member.name.startsWith('__'))
    .map(member => member.name)
}

function isPublic(member: ts.Symbol): boolean {
  const declaration = member.valueDeclaration
  if (declaration === undefined) return true
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  const isInternal = ts.getJSDocTags(declaration).some(tag => tag.tagName.text === 'internal')
  return !(ts.getCombinedModifierFlags(declaration) & hidden) && !isInternal
}

/** Everything that options may nest: types of this package that are made of fields alone. */
function isNested(type: ts.Type): boolean {
  if (type.getCallSignatures().length > 0) return false
  if (type.isIntersection()) return type.types.some(isNested)
  const symbol = type.aliasSymbol ?? type.symbol
  const file = symbol?.declarations?.[0]?.getSourceFile().fileName ?? ''
  if (!file.startsWith(join(root, 'src'))) return false
  return /^(\w+Options|Rate|__type)$/.test(type.symbol.name)
}

/** The fields of an exported interface; those of nested options as `near.max`, beside `near`. */
export function fieldsOf(entry: string, name: string): Set<string> {
  const symbol = exportsOf(entry).get(name)
  if (symbol === undefined) throw new Error(`${entry} exports no ${name}`)
  const fields = new Set<string>()
  reached.add(name)
  walk(checker.getDeclaredTypeOfSymbol(symbol), '', fields)
  return fields
}

/** The interfaces that a walk has gone through. */
export const reached = new Set<string>()

function walk(type: ts.Type, path: string, fields: Set<string>): void {
  for (const field of checker.getPropertiesOfType(type)) {
    const name = path + field.name
    fields.add(name)
    const whole = checker.getTypeOfSymbol(field)
    for (const part of whole.isUnion() ? whole.types : [whole]) {
      if (!(part.flags & ts.TypeFlags.Object || part.isIntersection()) || !isNested(part)) continue
      for (const each of part.isIntersection() ? part.types : [part]) {
        reached.add(each.symbol.name)
      }
      walk(part, `${name}.`, fields)
    }
  }
}

/** The text of every source file, by its path below `folder`. */
export function sources(folder = 'src'): Map<string, string> {
  return new Map(
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => /\.(m?ts|[mc]js|rs)$/.test(file) && !/node_modules|target/.test(file))
      .map(file => [join(folder, file), readFileSync(join(root, folder, file), 'utf8')]),
  )
}
