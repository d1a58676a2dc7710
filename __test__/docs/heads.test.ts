// Every source says in its first line what it does.
import test from 'ava'
import { sources } from './code.ts'

test('every source begins with a comment that says what it does', t => {
  const all = [...sources('src'), ...sources('crates')].filter(([file]) =>
    /^(src|crates\/\w+\/src)\//.test(file.replaceAll('\\', '/')),
  )
  t.true(all.length > 500, `${all.length} sources`)
  const silent = all.filter(([file, text]) => {
    const lines = text.split('\n')
    // A program names its interpreter first.
    const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0]
    return !(file.endsWith('.rs') ? /^\/\/! \S/ : /^\/(\/|\*\*) \S/).test(first ?? '')
  })
  t.deepEqual(
    silent.map(([file]) => file),
    [],
  )
})
