// The documentation as a site: the pages of `docs` as they are, found by task.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DefaultTheme, defineConfig } from 'vitepress'

const docs = fileURLToPath(new URL('..', import.meta.url))
const source = 'https://github.com/breakwater-js/breakwater/blob/main/'

/** A page by its path without an end, under its own heading or a shorter one. */
function page(path: string, text?: string): DefaultTheme.SidebarItem {
  const [, heading] = /^# (.*)$/m.exec(readFileSync(join(docs, `${path}.md`), 'utf8')) ?? []
  return { text: text ?? heading?.replaceAll('`', '') ?? path, link: `/${path}` }
}

/** All pages of a folder but its first one. */
function pagesOf(folder: string): DefaultTheme.SidebarItem[] {
  const names = readdirSync(join(docs, folder)).filter(name => /^(?!README).*\.md$/.test(name))
  return names.sort().map(name => page(`${folder}/${name.slice(0, -3)}`))
}

const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'A cache in the process',
    items: [
      page('guide', 'Guide'),
      page('loading'),
      page('tiers'),
      page('lru-cache'),
      page('adapters'),
      page('codecs'),
      page('migrating'),
      page('bundlers'),
      page('fake-timers'),
    ],
  },
  {
    text: 'A routing node',
    items: [
      'serve',
      'security',
      'protection',
      'hooks',
      'admin',
      'dashboard',
      'demo',
      'routing',
      'operations',
    ].map(path => page(path)),
  },
  { text: 'Seeing it work', items: [page('metrics'), page('opentelemetry')] },
  { text: 'The laboratory', items: [page('simulate'), page('benchmarks'), page('comparison')] },
  { text: 'Recipes', collapsed: true, items: pagesOf('recipes') },
  { text: 'Reference', collapsed: true, items: pagesOf('reference') },
  {
    text: 'Inside',
    collapsed: true,
    items: [
      page('architecture'),
      page('verification'),
      { text: 'Decisions', collapsed: true, items: pagesOf('decisions') },
    ],
  },
]

const feature = (title: string, details: string, link: string) => ({ title, details, link })

/** The first page, above the list of all. */
const home = {
  layout: 'home',
  hero: {
    name: 'Breakwater',
    text: 'One cache per process, and a Redis that does not notice a deploy',
    tagline:
      'A lock-free cache engine that all worker threads of a Node.js process share, and a routing node that absorbs hot reads in front of Redis.',
    actions: [
      { theme: 'brand', text: 'Guide', link: '/guide' },
      { theme: 'alt', text: 'The routing node', link: '/serve' },
      { theme: 'alt', text: 'Compared with others', link: '/comparison' },
    ],
  },
  features: [
    feature(
      'No stampede',
      'One load per key in all threads. While a popular value is loaded anew, callers get the old one.',
      '/loading',
    ),
    feature(
      'No pauses, bounded to the byte',
      'Entries lie outside the V8 heap. The cache charges every allocation before it makes it.',
      '/benchmarks',
    ),
    feature(
      'A drop-in for lru-cache',
      'The same API and the same results, held by a differential test.',
      '/lru-cache',
    ),
    feature(
      'In front of Redis',
      'Clients connect as to Redis. Thousands of connections become one for each thread, and hot reads end in the node.',
      '/serve',
    ),
    feature(
      'Several processes',
      "A second tier in Redis or in a node. Processes hear of each other's writes.",
      '/tiers',
    ),
    feature(
      'A laboratory',
      'What a cache would hit on your own traffic, by size and policy, before you deploy it.',
      '/simulate',
    ),
  ],
}

export default defineConfig({
  title: 'Breakwater',
  description: 'A cache that all worker threads share, and a routing node in front of Redis.',
  srcExclude: ['**/node_modules/**', 'api/**'],
  outDir: './.vitepress/dist',
  rewrites: { 'README.md': 'index.md', ':folder/README.md': ':folder/index.md' },
  transformPageData(data) {
    if (data.relativePath === 'index.md') Object.assign(data.frontmatter, home)
  },
  themeConfig: {
    sidebar,
    nav: [
      { text: 'Guide', link: '/guide' },
      { text: 'Routing node', link: '/serve' },
      { text: 'Reference', link: '/reference/options' },
      { text: 'Figures', link: '/benchmarks' },
    ],
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: source.replace(/\/blob.*/, '') }],
  },
  markdown: {
    config(markdown) {
      // What is no page of `docs` is read where the sources are.
      markdown.core.ruler.push('sources', ({ tokens, env }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.attrGet('href')
          if (token.type !== 'link_open' || href === null || /^([a-z]+:|#|\/)/.test(href)) continue
          const path = relative(docs, resolve(dirname(join(docs, env.relativePath)), href))
          const isPage = /\.md(#|$)/.test(path) && !path.startsWith('..')
          if (!isPage) token.attrSet('href', source + join('docs', path).replaceAll('\\', '/'))
        }
      })
    },
  },
})
