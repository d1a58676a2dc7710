// Sends the metrics of a cache to a StatsD daemon, or to a Datadog agent by its StatsD port: an exporter
// for OpenTelemetry's SDK that writes lines of StatsD.
//
//   npm install @opentelemetry/api @opentelemetry/sdk-metrics
//   node examples/statsd.mjs 127.0.0.1:8125
import { createSocket } from 'node:dgram'
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { Cache } from 'breakwater'
import { registerMetrics } from 'breakwater/opentelemetry'

/** Counters go as what they rose by, gauges as they are; attributes are a part of the name. */
class StatsdExporter {
  #socket = createSocket('udp4').unref()
  #host
  #port

  constructor(address) {
    const [host, port] = address.split(':')
    this.#host = host
    this.#port = Number(port)
  }

  selectAggregationTemporality() {
    return AggregationTemporality.DELTA
  }

  async export({ scopeMetrics }, done) {
    const lines = scopeMetrics.flatMap(({ metrics }) => metrics.flatMap(linesOf))
    // As many as surely fit in one packet.
    for (let at = 0; at < lines.length; at += 10) await this.#send(lines.slice(at, at + 10))
    done({ code: 0 })
  }

  async forceFlush() {}

  async shutdown() {
    this.#socket.close()
  }

  #send(lines) {
    return new Promise(resolve => {
      this.#socket.send(lines.join('\n'), this.#port, this.#host, resolve)
    })
  }
}

function linesOf({ descriptor, dataPointType, dataPoints }) {
  const kind = dataPointType === DataPointType.GAUGE ? 'g' : 'c'
  return dataPoints
    .filter(({ value }) => kind === 'g' || value > 0)
    .map(({ value, attributes }) => {
      const labels = Object.values(attributes).map(label => label.replaceAll(/[^\w-]/g, '_'))
      return `${[descriptor.name, ...labels].join('.')}:${value}|${kind}`
    })
}

const exporter = new StatsdExporter(process.argv[2] ?? '127.0.0.1:8125')
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 })
const provider = new MeterProvider({ readers: [reader] })
const pages = new Cache({ name: 'pages', max: 100, loader: async path => `the page of ${path}` })
registerMetrics(provider.getMeter('example'), { caches: [pages] })

for (const path of ['/', '/about', '/', '/']) await pages.fetch(path)
await provider.shutdown() // sends what there is
await pages.close()
console.log('Sent.')
