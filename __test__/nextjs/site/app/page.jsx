// A page that is rendered at the build, and again once its tag is revalidated.
import { cacheLife, cacheTag } from 'next/cache'

export default async function Page() {
  'use cache'
  cacheLife('hours')
  cacheTag('page')
  return <p>page {crypto.randomUUID()}</p>
}
