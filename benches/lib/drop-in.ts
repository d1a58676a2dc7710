/** The one door to the drop-in under test: what `npm run build` made. */
export * from '../../dist/lru-cache/index.js'
