/** The one door to the cache under test: what `npm run build` made. */
export * from '../../dist/index.js'
