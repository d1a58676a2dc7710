import { createCacheHandler } from 'breakwater/nextjs'

export default createCacheHandler({ name: 'site', maxBytes: '32mb' })
