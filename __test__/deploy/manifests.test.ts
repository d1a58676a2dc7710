// What is deployed: manifests that Kubernetes takes, an image whose steps can be run, options that exist.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { checkConfig } from '../../src/router/config.ts'
import { folderOf } from '../helpers/folders.ts'
import { optionsIn } from './options.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (path: string) => readFileSync(join(root, 'deploy', path), 'utf8')

interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string }
  // biome-ignore lint/suspicious/noExplicitAny: what else there is depends on the kind.
  [field: string]: any
}

/** The manifests of a folder, as its kustomization lists them. */
function manifests(folder: string): Manifest[] {
  const { resources } = parse(text(`kubernetes/${folder}/kustomization.yaml`))
  const there = readdirSync(join(root, 'deploy/kubernetes', folder))
  const listed = [...resources, 'kustomization.yaml'].sort()
  if (String(listed) !== String(there.sort())) throw new Error(`${folder} lists ${listed}`)
  return (resources as string[]).flatMap(file =>
    parseAllDocuments(text(`kubernetes/${folder}/${file}`), { merge: true }).map(
      document => document.toJS() as Manifest,
    ),
  )
}

const TIER = manifests('tier')
const ALL = [...TIER, ...manifests('sidecar')]
const of = (kind: string) => TIER.find(manifest => manifest.kind === kind)!

for (const manifest of ALL) {
  test(`${manifest.kind} ${manifest.metadata.name} is one that Kubernetes takes`, async t => {
    t.timeout(120_000)
    const models = await import(`kubernetes-models/${manifest.apiVersion}/${manifest.kind}`)
    const Kind = models[manifest.kind]
    const { apiVersion: _, kind: __, ...fields } = manifest
    t.notThrows(() => new Kind(fields).validate())
  })
}

test('no manifest has a field that Kubernetes does not know', t => {
  t.timeout(240_000)
  const dir = folderOf(t, 'manifests')
  const lines = ALL.map(
    ({ apiVersion, kind, ...fields }, at) =>
      `import type { I${kind} as Kind${at} } from 'kubernetes-models/${apiVersion}/${kind}'\n` +
      `export const manifest${at}: Kind${at} = ${JSON.stringify({ apiVersion, kind, ...fields })}\n`,
  )
  // What the check itself would not see is not checked.
  const wrong = "import type { IPod } from 'kubernetes-models/v1/Pod'\nexport const wrong: IPod = "
  writeFileSync(join(dir, 'manifests.ts'), lines.join(''))
  writeFileSync(join(dir, 'wrong.ts'), `${wrong}{ apiVersion: 'v1', kind: 'Pod', spek: {} }\n`)
  const modules = join(root, '__test__/deploy/node_modules/*')
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: 'esnext',
    moduleResolution: 'bundler',
    skipLibCheck: true,
    types: [],
    paths: { '*': [modules] },
  }
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' })
  const found = stdout.split('\n').filter(line => /error TS/.test(line))
  t.is(found.length, 1, stdout)
  t.regex(found[0]!, /wrong\.ts.*'spek' does not exist/)
})

test('the manifests fit each other: labels, ports, volumes, secrets', t => {
  const { spec } = of('Deployment').spec.template
  const labels = of('Deployment').spec.template.metadata.labels
  const selects = (selector: object) => t.like(labels, selector)
  selects(of('Deployment').spec.selector.matchLabels)
  selects(of('Service').spec.selector)
  selects(of('PodDisruptionBudget').spec.selector.matchLabels)
  selects(of('NetworkPolicy').spec.podSelector.matchLabels)
  for (const { labelSelector } of spec.topologySpreadConstraints) selects(labelSelector.matchLabels)
  t.is(of('HorizontalPodAutoscaler').spec.scaleTargetRef.name, of('Deployment').metadata.name)
  const [container] = spec.containers
  const ports = container.ports.map(({ name }: { name: string }) => name)
  const rules = of('NetworkPolicy').spec.ingress.flatMap((rule: Manifest) => rule.ports)
  for (const { port } of rules) t.true(ports.includes(port))
  for (const { targetPort } of of('Service').spec.ports) t.true(ports.includes(targetPort))
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    t.true(ports.includes(container[probe].httpGet.port), probe)
  }
  const volumes = spec.volumes.map(({ name }: { name: string }) => name).sort()
  t.deepEqual(container.volumeMounts.map(({ name }: { name: string }) => name).sort(), volumes)
})

test('a pod is given longer than its drain takes', t => {
  const config = parse(of('ConfigMap').data['breakwater.config.yaml'])
  const { spec } = of('Deployment').spec.template
  const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)![1])
  const pause = Number(spec.containers[0].lifecycle.preStop.exec.command[1])
  const drain = seconds(config.drain.over) + seconds(config.drain.within) + 5
  t.true(spec.terminationGracePeriodSeconds > pause + drain)
})

test('the configuration in the ConfigMap is one that a node takes', t => {
  const config = parse(of('ConfigMap').data['breakwater.config.yaml'])
  const { admin, entrances } = checkConfig({ ...config, store: 'redis://redis:6379' }, 'any')
  t.is(entrances.length, 1)
  const [{ ports }] = of('Deployment').spec.template.spec.containers
  const numbers = ports.map(({ containerPort }: { containerPort: number }) => containerPort)
  t.deepEqual(numbers, [config.listen.port, (admin!.listen as { port: number }).port])
})

test('every command and option in what is deployed exists', t => {
  const containers = ALL.filter(({ kind }) => kind === 'Deployment').flatMap(({ spec }) => [
    ...spec.template.spec.containers,
    ...(spec.template.spec.initContainers ?? []),
  ])
  const services = Object.values(parse(text('compose.yaml')).services) as Manifest[]
  const commands = [...containers.map(({ args }) => args), ...services.map(each => each.command)]
    .filter(words => words?.[0] === 'serve')
    .map((words: string[]) => ['breakwater', ...words].join(' '))
  t.is(commands.length, 3)
  const { found, unknown } = optionsIn([...commands, text('docker/Dockerfile')].join('\n'))
  t.deepEqual(unknown, [])
  t.true(found >= 4)
})

test('the image is small and closed: pinned base, no root, a drain at its end, a check of its health', t => {
  const steps = text('docker/Dockerfile')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => /^([A-Z]+) +(.*)$/.exec(line)!.slice(1) as [string, string])
  const last = (name: string) => steps.findLast(([step]) => step === name)?.[1] ?? ''
  for (const [step] of steps) {
    t.regex(
      step,
      /^(ARG|FROM|WORKDIR|RUN|COPY|ENV|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)$/,
    )
  }
  t.regex(last('FROM'), /^node:\$\{NODE\}-bookworm-slim$/)
  t.is(last('USER'), 'node')
  t.is(last('STOPSIGNAL'), 'SIGTERM')
  for (const name of ['ENTRYPOINT', 'CMD']) t.true(Array.isArray(JSON.parse(last(name))), name)
  const health = JSON.parse(/CMD (\[.*\])/.exec(last('HEALTHCHECK'))![1]!)
  t.deepEqual(health, ['breakwater', 'status', '--ready'])
})

test('Compose starts what it names, and Prometheus scrapes the admin entrance', t => {
  const { services } = parse(text('compose.yaml'))
  t.deepEqual(Object.keys(services), ['redis', 'breakwater', 'prometheus'])
  for (const { depends_on: needs = {} } of Object.values(services) as Manifest[]) {
    for (const name of Array.isArray(needs) ? needs : Object.keys(needs)) t.true(name in services)
  }
  const { scrape_configs: jobs } = parse(text('prometheus/prometheus.yml'))
  t.deepEqual(jobs[0].static_configs[0].targets, ['breakwater:9121'])
  t.deepEqual(services.prometheus.volumes, ['./prometheus:/etc/prometheus:ro'])
  // By that name it is let in.
  const { command } = services.breakwater
  t.is(command[command.indexOf('--admin-host') + 1], 'breakwater')
})
