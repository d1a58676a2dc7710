// The alerts of deploy/prometheus: each is proved to fire and to be silent, by promtool; and a real
// Alertmanager groups them, and holds back what need not be said.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { installed } from '../router/support.ts'

const folder = fileURLToPath(new URL('../../deploy/prometheus/', import.meta.url))
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

interface Group {
  rules: { alert?: string; expr: string }[]
}

interface Case {
  eval_time: string
  alertname: string
  exp_alerts?: unknown[]
}

const { groups } = parse(read('breakwater.rules.yml')) as { groups: Group[] }
const alerts = groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert !== undefined)
const { tests } = parse(read('breakwater.rules.test.yml')) as {
  tests: { input_series: { series: string }[]; alert_rule_test: Case[] }[]
}

test('every alert has a case in which it fires, one in which it is silent, and a deploy if it looks at one', t => {
  for (const { alert, expr } of alerts) {
    const own = tests.filter(each =>
      each.alert_rule_test.some(({ alertname }) => alertname === alert),
    )
    const cases = own.flatMap(each => each.alert_rule_test)
    t.true(
      cases.some(({ exp_alerts = [] }) => exp_alerts.length > 0),
      `${alert} fires`,
    )
    t.true(
      cases.some(({ exp_alerts = [] }) => exp_alerts.length === 0),
      `${alert} is silent`,
    )
    const series = own.flatMap(each => each.input_series.map(({ series }) => series))
    const deploys = series.some(name => name.startsWith('breakwater_node_start_time_seconds'))
    t.is(deploys, expr.includes('breakwater_node_start_time_seconds'), alert)
  }
})

const prometheus = installed('promtool') ? test : test.skip

prometheus('alerts fire when they should, are silent when they should not, and in deploys', t => {
  t.timeout(120_000)
  const file = join(folder, 'breakwater.rules.test.yml')
  const said = execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })
  t.regex(said, /SUCCESS/)
})

const manager = installed('prometheus-alertmanager') && installed('amtool') ? test : test.skip

manager('amtool finds no fault with the routes, and knows who hears of what', t => {
  const file = join(folder, 'alertmanager.yml')
  const said = execFileSync('amtool', ['check-config', file], { encoding: 'utf8' })
  t.regex(said, /SUCCESS/)
  const heard = (...labels: string[]) =>
    execFileSync('amtool', ['config', 'routes', 'test', `--config.file=${file}`, ...labels], {
      encoding: 'utf8',
    }).trim()
  t.is(heard('severity=page', 'alertname=BreakwaterNodeDown'), 'pager')
  t.is(heard('severity=ticket', 'alertname=BreakwaterStaleFound'), 'tickets')
})

interface Message {
  to: string
  alerts: { labels: Record<string, string> }[]
}

manager(
  'one message tells of all nodes with an alert, and of a node that is down nothing else',
  async t => {
    t.timeout(120_000)
    const heard: Message[] = []
    const send = await managed(t, heard)
    const alert = (severity: string, alertname: string, instance: string) => ({
      labels: { severity, alertname, instance, job: 'breakwater' },
    })
    await send([
      alert('page', 'BreakwaterNodeDown', 'a'),
      alert('page', 'BreakwaterStoreDown', 'a'),
      alert('page', 'BreakwaterEvictionStorm', 'b'),
      alert('page', 'BreakwaterEvictionStorm', 'c'),
      alert('ticket', 'BreakwaterThreadsUneven', 'b'),
      alert('ticket', 'BreakwaterFault', 'd'),
    ])
    while (heard.length < 3) await sleep(20)
    const told = heard.map(({ to, alerts }) => [
      to,
      ...alerts.map(({ labels }) => `${labels.alertname} ${labels.instance}`).sort(),
    ])
    t.deepEqual(told.sort(), [
      ['/page', 'BreakwaterEvictionStorm b', 'BreakwaterEvictionStorm c'],
      ['/page', 'BreakwaterNodeDown a'],
      ['/ticket', 'BreakwaterFault d'],
    ])
  },
)

/** An Alertmanager that waits a while for all that is sent at once; a function that sends it alerts. */
async function managed(t: ExecutionContext, heard: Message[]) {
  const hears = createServer(async (request, response) => {
    const { alerts } = (await json(request)) as Message
    heard.push({ to: request.url ?? '', alerts })
    response.end()
  })
  await new Promise<void>(resolve => hears.listen(0, '127.0.0.1', resolve))
  const { port: hook } = hears.address() as AddressInfo
  const own = folderOf(t, 'alertmanager')
  const config = join(own, 'alertmanager.yml')
  const given = read('alertmanager.yml')
  writeFileSync(
    config,
    given
      .replaceAll('127.0.0.1:9095', `127.0.0.1:${hook}`)
      .replace('group_wait: 30s', 'group_wait: 5s'),
  )
  const port = await freePort()
  const process = spawn(
    'prometheus-alertmanager',
    [
      `--config.file=${config}`,
      `--storage.path=${join(own, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  )
  t.teardown(async () => {
    process.kill('SIGKILL')
    await once(process, 'exit')
    hears.close()
  })
  const base = `http://127.0.0.1:${port}`
  const ready = () =>
    fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await ready())) await sleep(50)
  return async (alerts: unknown[]) => {
    const { status } = await fetch(`${base}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts),
    })
    t.is(status, 200)
  }
}
