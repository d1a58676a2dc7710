// Revalidates a tag: at once, or, with a profile, while what is stale is served.
import { revalidateTag } from 'next/cache'

export async function POST(request) {
  const { tag, profile } = await request.json()
  revalidateTag(tag, profile ?? { expire: 0 })
  return Response.json({ tag })
}
