// The scenes of the demo: what happens, and what is measured of it, without the nodes and with them.

const ms = value =>
  value === null ? 'none' : value >= 100 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`
const many = value => Math.round(value).toLocaleString('en')
const percent = value => `${(100 * value).toFixed(1)} %`

/** A row of a table: a figure of each way. */
const row = (figure, { without, with: with_ }, of) => ({
  figure,
  without: of(without),
  with: of(with_),
})

export const scenes = [
  {
    name: 'Deploy storm',
    about: 'all clients are replaced at once, and connect anew.',
    async play(stage) {
      const { clients, keys } = stage.size
      const seen = await stage.both(async way => {
        await stage.fleet({ do: 'connect', clients, ...way })
        return stage.storesDuring(() => stage.fleet({ do: 'redeploy', clients, keys, ...way }))
      })
      return [
        row('new connections to the stores', seen, ({ connections }) => many(connections)),
        row('CPU of the stores', seen, ({ cpu }) => ms(cpu)),
        row('the last client has its first reply after', seen, ({ last }) => ms(last)),
      ]
    },
  },
  {
    name: 'Hot key',
    about: 'half of all reads are of one key.',
    async play(stage) {
      const { clients, keys, seconds } = stage.size
      const seen = await stage.both(async way => {
        const count = Math.min(clients, 50)
        await stage.fleet({ do: 'connect', clients: count, ...way })
        return stage.storesDuring(() => stage.fleet({ do: 'read', keys, seconds, hot: 0.5 }))
      })
      return [
        row('reads that clients got', seen, ({ done }) => many(done)),
        row('reads that reached a store', seen, ({ reads }) => many(reads)),
        row('of these, at the busiest store', seen, ({ most }) => many(most)),
        row('CPU of the stores', seen, ({ cpu }) => ms(cpu)),
        row('p99 of a read', seen, ({ p99 }) => ms(p99)),
      ]
    },
  },
  {
    name: 'Stampede',
    about: 'all clients ask for one key at once that nobody has in memory.',
    async play(stage) {
      const { clients } = stage.size
      const seen = await stage.both(async way => {
        await stage.fleet({ do: 'connect', clients, ...way })
        await stage.forget()
        return stage.storesDuring(() => stage.fleet({ do: 'together', key: 'user:1' }))
      })
      return [
        row('reads that reached a store', seen, ({ reads }) => many(reads)),
        row('the last client has its reply after', seen, ({ last }) => ms(last)),
      ]
    },
  },
  {
    name: "A store's death",
    about: 'one of the three stores is killed while clients read.',
    async play(stage) {
      const { clients, keys, seconds } = stage.size
      const seen = await stage.both(async way => {
        const count = Math.min(clients, 50)
        await stage.fleet({ do: 'connect', clients: count, ...way })
        // Whatever is read at all has been read before, by each node.
        await stage.fleet({ do: 'readAll', keys })
        await stage.kill(1)
        const during = await stage.fleet({ do: 'read', keys, seconds, pace: 5 })
        await stage.revive(1)
        return during
      })
      return [
        row('reads that failed', seen, ({ failed, done }) => percent(failed / (failed + done))),
        row('p99 of those that did not', seen, ({ p99 }) => ms(p99)),
      ]
    },
  },
  {
    name: 'Cold start',
    about: 'all applications start anew with nothing in memory, and read what they need.',
    async play(stage) {
      const { clients, keys } = stage.size
      const order = { do: 'redeploy', clients, keys, each: 20 }
      const warm = await stage.both(async way => {
        await stage.fleet({ ...order, ...way })
        return stage.storesDuring(() => stage.fleet({ ...order, ...way }))
      })
      const cold = await stage.both(way =>
        stage.storesDuring(() => stage.fleet({ ...order, ...way })),
      )
      return [
        row('reads that reached a store', warm, ({ reads }) => many(reads)),
        row('the last application is ready after', warm, ({ last }) => ms(last)),
        row('the same, the nodes started anew as well', cold, ({ reads }) => many(reads)),
      ]
    },
  },
  {
    name: 'A quiet day',
    about: 'few clients, no hot key, as many writes as reads: here a node is one more hop.',
    async play(stage) {
      const { keys, seconds } = stage.size
      const seen = await stage.both(async way => {
        await stage.fleet({ do: 'connect', clients: 4, ...way })
        return stage.storesDuring(() =>
          stage.fleet({ do: 'read', keys, seconds, writes: 0.5, pace: 1 }),
        )
      })
      return [
        row('p50 of a request', seen, ({ p50 }) => ms(p50)),
        row('p99 of a request', seen, ({ p99 }) => ms(p99)),
        row('CPU of the stores', seen, ({ cpu }) => ms(cpu)),
      ]
    },
  },
]
