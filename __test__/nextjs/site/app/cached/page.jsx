// A page of a request, around a value that 'use cache' keeps.
import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'

async function fresh(name) {
  'use cache'
  cacheLife('hours')
  cacheTag('value')
  return `${name} ${crypto.randomUUID()}`
}

async function Value() {
  await connection()
  return <p>value {await fresh('of the cache')}</p>
}

export default function Page() {
  return (
    <Suspense fallback={<i>wait</i>}>
      <Value />
    </Suspense>
  )
}
