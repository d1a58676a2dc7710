// Which modules of a Rust crate name which others, and the circles among them.

/** The modules of a crate by their paths, `cache::write`; the crate's root is `''`. */
export type Modules = ReadonlyMap<string, string>

/** What names what: a module of the crate, and another. */
type Arrow = readonly [from: string, to: string]

/** The module that a file in `src` is: of `cache/write.rs` it is `cache::write`. */
export function moduleOf(file: string): string {
  return file.replace(/(^|\/)(lib|mod)\.rs$|\.rs$/, '').replaceAll('/', '::')
}

/**
 * The circles among the modules: each as the names of siblings, from one back to itself. What is in
 * a folder counts as the folder for those outside of it. That a module and its own children name
 * each other is none. Tests and models may name anything.
 */
export function circles(sources: Modules): string[] {
  const scopes = new Map<string, Scope>()
  for (const [path, source] of sources) read(path, source, scopes)
  const shipped = [...scopes.values()].filter(scope => !isTest(scope.path, scopes))
  const arrows = shipped.flatMap(scope => arrowsOf(scope, scopes))
  return [...scopes.keys()].flatMap(parent => circlesIn(parent, arrows))
}

/** A module as its text has it. */
interface Scope {
  path: string
  /** Only tests and models are in it. */
  test: boolean
  /** The names that `use` brings in, with what they stand for. */
  names: Map<string, string[]>
  /** All paths that begin with `crate`, `super` or `self`, absolute. */
  paths: string[][]
}

const TOKENS =
  /\/\/.*|\/\*[\s\S]*?\*\/|[bc]?r(#*)"[\s\S]*?"\1|[bc]?"(?:\\[\s\S]|[^"\\])*"|b?'(?:\\u\{.*?\}|\\x..|\\.|[^'\\])'|'\w+|(\w+|::|[^\s\w])/g

/** The words and signs of a text, without comments and literals. */
function tokensOf(source: string): string[] {
  return [...source.matchAll(TOKENS)].flatMap(match => match[2] ?? [])
}

/** Reads a file, and the modules that are written out in it as well. */
function read(path: string, source: string, scopes: Map<string, Scope>): void {
  const tokens = tokensOf(source)
  const open = [{ scope: scopeOf(path, scopes), depth: 0 }]
  let depth = 0
  let attributes: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    const { scope } = open.at(-1)!
    if (token === '#' && (tokens[at + 1] === '[' || tokens[at + 2] === '[')) {
      const end = closing(tokens, tokens.indexOf('[', at))
      attributes.push(...tokens.slice(at, end))
      at = end
    } else if (token === 'mod' && /^[;{]$/.test(tokens[at + 2] ?? '')) {
      const child = scopeOf(join(scope.path, tokens[at + 1]!), scopes)
      child.test ||= /\bcfg\b.*\b(test|loom)\b/.test(attributes.join(' '))
      if (tokens[at + 2] === '{') open.push({ scope: child, depth })
      at += tokens[at + 2] === '{' ? 1 : 2
    } else if (token === 'use' && tokens[at + 1] !== '<') {
      const end = tokens.indexOf(';', at)
      for (const [names, name] of trees(tokens.slice(at + 1, end))) {
        const absolute = absolutely(names, scope.path)
        scope.names.set(name, absolute)
        if (isRooted(names[0])) scope.paths.push(absolute)
      }
      at = end
    } else if (isRooted(token) && tokens[at + 1] === '::' && tokens[at - 1] !== '::') {
      const names = [token!]
      while (tokens[at + 1] === '::' && /^\w+$/.test(tokens[at + 2] ?? '')) {
        names.push(tokens[at + 2]!)
        at += 2
      }
      scope.paths.push(absolutely(names, scope.path))
    } else if (token === '{') {
      depth++
    } else if (token === '}') {
      depth--
      if (open.length > 1 && open.at(-1)!.depth === depth) open.pop()
    }
    if (token !== '#' && token !== 'pub') attributes = []
  }
}

function scopeOf(path: string, scopes: Map<string, Scope>): Scope {
  const scope = scopes.get(path) ?? { path, test: false, names: new Map(), paths: [] }
  scopes.set(path, scope)
  return scope
}

/** Where the bracket that opens at a place closes. */
function closing(tokens: string[], at: number): number {
  let depth = 0
  for (let end = at; ; end++) {
    if (tokens[end] === '[') depth++
    if (tokens[end] === ']') depth--
    if (depth === 0) return end
  }
}

/** The paths in a `use`, each with the name that it gives to what it leads to. */
function* trees(tokens: string[], before: string[] = []): Generator<[string[], string]> {
  const names = [...before]
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token === '{') {
      for (const part of parts(tokens.slice(at + 1, -1))) yield* trees(part, names)
      return
    }
    if (token === 'as') return yield [names, tokens[at + 1]!]
    if (/^\w+$/.test(token) && (token !== 'self' || names.length === 0)) names.push(token)
  }
  yield [names, tokens.at(-1) === '*' ? `* of ${names.join('::')}` : names.at(-1)!]
}

/** What stands between commas that are in no bracket. */
function parts(tokens: string[]): string[][] {
  const all: string[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (token === '{') depth++
    if (token === '}') depth--
    if (token === ',' && depth === 0) all.push([])
    else all.at(-1)!.push(token)
  }
  return all.filter(part => part.length > 0)
}

function isRooted(token: string | undefined): boolean {
  return token === 'crate' || token === 'super' || token === 'self'
}

/** A path from the crate's root. A name that is no root is a child's, or of another crate. */
function absolutely(names: string[], path: string): string[] {
  let from = names[0] === 'crate' ? [] : path.split('::').filter(Boolean)
  const first = names.findIndex(name => !isRooted(name))
  const roots = first < 0 ? names : names.slice(0, first)
  for (const root of roots) if (root === 'super') from = from.slice(0, -1)
  return [...from, ...(first < 0 ? [] : names.slice(first))]
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}::${name}`
}

function isTest(path: string, scopes: Map<string, Scope>): boolean {
  const names = path.split('::')
  return names.some((_, at) => scopes.get(names.slice(0, at + 1).join('::'))?.test)
}

/** The modules that a module names, through what others name for it. */
function arrowsOf(scope: Scope, scopes: Map<string, Scope>): Arrow[] {
  return scope.paths.map(names => [scope.path, ownerOf(names, scopes)])
}

/** The module that has what a path leads to. */
function ownerOf(names: string[], scopes: Map<string, Scope>, seen = new Set<string>()): string {
  let module = ''
  for (const [at, name] of names.entries()) {
    const child = join(module, name)
    if (scopes.has(child)) {
      module = child
      continue
    }
    const stands = scopes.get(module)?.names.get(name)
    // It is the module's own, or it is of another crate.
    if (!stands || seen.has(child)) return module
    seen.add(child)
    return ownerOf([...stands, ...names.slice(at + 1)], scopes, seen)
  }
  return module
}

/** The circles among the children of a module. */
function circlesIn(parent: string, arrows: Arrow[]): string[] {
  const prefix = parent === '' ? '' : `${parent}::`
  const childOf = (path: string) =>
    path !== parent && path.startsWith(prefix)
      ? path.slice(prefix.length).split('::')[0]
      : undefined
  const graph = new Map<string, Map<string, string>>()
  for (const [from, to] of arrows) {
    const [a, b] = [childOf(from), childOf(to)]
    if (!a || !b || a === b) continue
    if (!graph.has(a)) graph.set(a, new Map())
    graph.get(a)!.set(b, `${from} names ${to}`)
  }
  const found: string[] = []
  const done = new Set<string>()
  const visit = (name: string, trail: string[]): void => {
    const at = trail.indexOf(name)
    if (at >= 0) {
      const circle = [...trail.slice(at), name]
      found.push(
        circle
          .slice(1)
          .map((to, i) => graph.get(circle[i]!)!.get(to))
          .join(', '),
      )
    } else if (!done.has(name)) {
      for (const next of graph.get(name)?.keys() ?? []) visit(next, [...trail, name])
      done.add(name)
    }
  }
  for (const name of graph.keys()) visit(name, [])
  return found
}
