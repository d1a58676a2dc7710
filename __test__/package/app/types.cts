// What a TypeScript user writes in CommonJS.
import breakwater = require('breakwater')

const texts = new breakwater.Cache({ max: 10 })
export = texts.get('a') satisfies string | undefined
