// The other file: it runs in the same process, after the first.
import { brings } from './errors.mjs'

brings('other')
