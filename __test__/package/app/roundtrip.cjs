// The CommonJS entry, and that it shares its caches with the ES module in one process.
const assert = require('node:assert/strict')
const { Cache } = require('breakwater')
const { LRUCache } = require('breakwater/lru-cache')

const required = new Cache({ name: 'both', max: 10 })
required.set('a', '1')
const shared = new LRUCache({ shared: 'both lru', max: 10 }).set('a', [1])
Promise.all([import('breakwater'), import('breakwater/lru-cache')]).then(([module, lru]) => {
  const imported = new module.Cache({ name: 'both' })
  assert.equal(imported.get('a'), '1')
  assert.deepEqual(new lru.LRUCache({ shared: 'both lru' }).get('a'), [1])
  shared.close()
  required.close()
  imported.close()
  console.log('round trip')
})
