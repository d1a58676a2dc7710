// One of two files, for each of which Jest loads the package anew.
const { brings } = require('./errors.cjs')

brings('one')
