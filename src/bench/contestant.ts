// One side of `breakwater bench`, in a process of its own, so that none shares another's compiled code
// or garbage. Its parent asks for rounds.
import { type Operation, Workload } from './operations.ts'
import { made, type SideName } from './side.ts'

async function begin(name: SideName, entries: number, url: string): Promise<void> {
  const workload = new Workload(await made(name, entries, url), entries)
  process.on('message', ({ operation, count }: { operation: Operation; count: number }) => {
    process.send?.(workload.round(operation, count))
  })
  process.on('disconnect', () => process.exit())
  process.send?.('ready')
}

const [name, entries, url = ''] = process.argv.slice(2)
void begin(name as SideName, Number(entries), url)
