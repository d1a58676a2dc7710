// What a TypeScript user writes in CommonJS.
import breakwater = require('breakwater')
import keyv = require('breakwater/keyv')

new keyv.KeyvStore({ max: 10 })
const texts = new breakwater.Cache<string, string>({ max: 10 })
export = texts.get('a') satisfies string | undefined
