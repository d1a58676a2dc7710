// How an instance comes to its cache.
import { binding, type Native } from '../native/native.ts'
import { needBound, type OpenOptions } from './options.ts'

/** Why a cache has no handle. */
export const HEAP_HAS_NO_HANDLE = "a cache of codec 'heap' belongs to one isolate: it has no handle"

/** Opens a cache. */
export type Open = (options: OpenOptions) => Native

/** The cache of this name, or else a new one. */
export function make(options: OpenOptions): Native {
  needBound(options)
  return binding.open(options)
}
