// The other file: it runs in the same process, after the first.
const { brings } = require('./errors.cjs')

brings('other')
