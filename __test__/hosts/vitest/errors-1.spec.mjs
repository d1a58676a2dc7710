// One of two files, for each of which Vitest loads the package anew.
import { brings } from './errors.mjs'

brings('one')
