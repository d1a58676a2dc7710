// A worker of gateway.mjs: it knows the customers that it owns.
import { LRUCache } from 'breakwater/lru-cache'

let profiles
let loads = 0

/** Loads a customer's profile, where a database would be asked. */
async function load(customer) {
  loads++
  await new Promise(resolve => setTimeout(resolve, 5))
  return { customer }
}

export default async function handle({ customer, path }, { worker, data }) {
  profiles ??= new LRUCache({ max: data.entries, fetchMethod: load })
  const profile = await profiles.fetch(customer)
  return { ...profile, path, worker, loads }
}
