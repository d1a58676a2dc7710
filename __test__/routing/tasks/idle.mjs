// A process that has a task done, and nothing else to do.
import { createPool } from 'breakwater/routing'

const file = new URL('./tasks.mjs', import.meta.url)
const pool = createPool({ file, route: task => task.key, workers: 2 })
const { value } = await pool.run({ do: 'echo', key: 'a', value: 5 })
console.log('value', value)
