// The CommonJS entry, and that it shares its caches with the ES module in one process.
const assert = require('node:assert/strict')
const { Cache } = require('breakwater')

const required = new Cache({ name: 'both' })
required.set('a', '1')
import('breakwater').then(module => {
  const imported = new module.Cache({ name: 'both' })
  assert.equal(imported.get('a'), '1')
  required.close()
  imported.close()
  console.log('round trip')
})
