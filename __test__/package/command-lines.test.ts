// What people run from a shell answers `--help`, and tells what is wrong in words: the option, what was given
// and what is allowed, with exit code 2. `npm run scale` and `lines` are Rust, and have their test beside them.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))

/** Runs a program to its end. */
function run(program: string, ...args: string[]) {
  const by = program.endsWith('.ts') ? ['--import=tsx'] : []
  const child = spawn(process.execPath, [...by, program, ...args], { cwd: root })
  let [out, err] = ['', '']
  child.stdout.on('data', text => (out += text))
  child.stderr.on('data', text => (err += text))
  return new Promise<{ code: number | null; out: string; err: string }>(resolve =>
    child.once('close', code => resolve({ code, out, err })),
  )
}

/** What each script is given that is wrong, and what it says; `there is no option` is tried of all. */
const WRONG: Record<string, [args: string[], told: RegExp][]> = {
  demo: [
    [['--short=yes'], /^--short takes no value, and has 'yes'$/],
    [['all'], /^nothing but options is taken, not 'all'$/],
  ],
  drill: [[['fire', 'flood'], /^there is no drill fire, flood; there are stampede, hot-key, /]],
  faults: [
    [['--mode', 'fibres'], /^--mode must be 'threads' or 'processes', not 'fibres'$/],
    [['--rate', '1e3'], /^--rate must be a whole number from 1 on, not '1e3'$/],
    [['--clients'], /^--clients must be a whole number from 1 on, and has no value$/],
    [['--each', '--rate'], /^--each must be a whole number from 1 on, not '--rate'$/],
    [['--for', '0s'], /^--for must be a duration, as '90s', '30m' or '1h', not '0s'$/],
    [['--only', 'toString'], /^there is no fault 'toString'; there are store killed, .*--only/],
    [['store killed'], /^nothing but options is taken, not 'store killed'$/],
  ],
  bench: [
    [['--rounds', '0'], /^--rounds must be a number above 0, not '0'$/],
    [['--entries', '1k,1x'], /^--entries must be whole numbers above 0, .*, not '1k,1x'$/],
    [['headline', 'constructor'], /^there is no benchmark constructor; there are headline, /],
  ],
  replay: [
    [['f', '--capacity', '1,,2'], /^--capacity must be whole numbers above 0, .*, not '1,,2'$/],
    [['f', '--policy', 'lru,mru'], /^--policy must be of lru, lfu, .*, not 'lru,mru'$/],
    [['f', '--through', ''], /^--through must be of Cache, drop-in, lru-cache, not ''$/],
    [['f', '--format', 'csv'], /^--format must be 'lines', .* or 'oracleGeneral', not 'csv'$/],
    [['f', 'g'], /^one FILE is taken, and not 'g' as well$/],
    [[], /^there must be a FILE/],
  ],
}

/** The scripts of package.json that take words: each has a `main`. */
const PROGRAMS = Object.entries(scripts as Record<string, string>).flatMap(([name, command]) => {
  const [, program] = /(?:node|tsx) (\S+\/main\.\w+)$/.exec(command) ?? []
  return program === undefined ? [] : [[name, program] as const]
})

test('every script that takes words is here', t => {
  t.deepEqual(PROGRAMS.map(([name]) => name).sort(), Object.keys(WRONG).sort())
  t.regex(scripts.scale, /--bin scale --$/)
  t.regex(scripts.lines, /--bin lines --$/)
  t.true(existsSync(`${root}/benches/engine/tests/command_lines.rs`))
})

for (const [name, program] of PROGRAMS) {
  test(`npm run ${name}: its help`, async t => {
    t.timeout(120_000)
    for (const flag of ['--help', '-h']) {
      // Whatever else is given.
      const { code, out, err } = await run(program, '--bogus', flag)
      t.deepEqual([code, err], [0, ''])
      t.true(out.startsWith(`npm run ${name} -- `), out)
    }
  })

  test(`npm run ${name}: what is wrong is told in words`, async t => {
    t.timeout(480_000)
    const bogus: [string[], RegExp] = [
      ['--bogus'],
      /^there is no option '--bogus'\nthere (is|are) /,
    ]
    for (const [args, told] of [bogus, ...WRONG[name]!]) {
      const { code, out, err } = await run(program, ...args)
      t.deepEqual([code, out], [2, ''], args.join(' '))
      t.regex(err.trimEnd(), told)
      // No stack.
      t.notRegex(err, /^ +at /m)
    }
  })
}

test('breakwater: all commands', async t => {
  t.timeout(480_000)
  const cli = 'dist/cli.js'
  const { code, out } = await run(cli, '--help')
  t.is(code, 0)
  const names = [...out.split('Commands:')[1]!.matchAll(/^ {2}([a-z-]+)/gm)].map(
    ([, name]) => name!,
  )
  t.true(names.length >= 15)
  const helps = await Promise.all(names.map(name => run(cli, name, '--help')))
  for (const [at, name] of names.entries()) {
    t.is(helps[at]!.code, 0, name)
    t.true(helps[at]!.out.startsWith(`Usage: breakwater ${name} `), name)
  }
  // What must be given is asked for first.
  const needed = (name: string) => (name === 'record' ? ['--output', 'file.csv'] : [])
  const all = await Promise.all(names.map(name => run(cli, name, ...needed(name), '--bogus')))
  for (const [at, name] of names.entries()) {
    const { code, out, err } = all[at]!
    t.deepEqual([code, out], [2, ''], name)
    t.regex(err, /^breakwater: error: unknown option '--bogus'/, name)
  }
  for (const [args, told] of [
    [['frob'], /^breakwater: error: unknown command 'frob'/],
    [
      ['serve', '--threads', 'x'],
      /'-t, --threads <count>' argument 'x' is invalid. It must be a wh/,
    ],
    [['serve', '--port'], /'-p, --port <port>' argument missing/],
    [
      ['bench', '--rounds', '0'],
      /'--rounds <count>' argument '0' is invalid. It must be a whole n/,
    ],
    [['bench', '-o', 'x'], /argument 'x' is invalid. Allowed choices are get, same, set/],
    [['simulate'], /missing required argument 'trace'/],
    [
      ['serve', '--threads', '1', '--max-bytes', '8mb', '--warm-from', 'hot'],
      /warm \('given'\) cannot be combined with no store: what is read most is read of a store/,
    ],
  ] as const) {
    const { code, out, err } = await run(cli, ...args)
    t.deepEqual([code, out], [2, ''], args.join(' '))
    t.regex(err, told)
    t.notRegex(err, /^ +at /m)
  }
})
