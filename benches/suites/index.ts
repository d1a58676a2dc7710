/** The benny suites, by the name that `npm run bench -- NAME` takes. */

import type { Row } from '../lib/report.ts'
import type { Effort } from '../lib/suite.ts'
import { churn } from './churn.ts'
import { get } from './get.ts'
import { json } from './json.ts'
import { many } from './many.ts'
import { mixed } from './mixed.ts'
import { set } from './set.ts'
import { ttl } from './ttl.ts'

/** Measures all sides at a number of entries. */
export type Suite = (entries: number, effort: Effort) => Promise<Row[]>

/** All suites. */
export const SUITES: Readonly<Record<string, Suite>> = { get, set, mixed, ttl, churn, many, json }
