import { HolmError, abortError, isHolmError } from '../../errors.ts'
import { parseSums, type PublishedFile } from './published.ts'

/** A root filesystem as LXC's download template names it: `download:debian/bookworm`, with architecture and variant where given. */
export interface ServerImage {
  readonly distribution: string
  readonly release: string
  /** The server's word: amd64, arm64. */
  readonly architecture: string
  readonly variant: string
}

const lead = 'download:'
const form = 'download:<distribution>/<release>[/<architecture>[/<variant>]]'

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'armhf',
  ia32: 'i386',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
}

/** Undefined for what is meant otherwise; HOLM_BASE_INVALID for what names no image. `arch` is `process.arch`. Pure. */
export function parseServerImage(text: string, arch: string): ServerImage | undefined {
  if (!text.startsWith(lead)) return undefined
  const words = text.slice(lead.length).toLowerCase().split('/')
  const [distribution, release, architecture = architectures[arch] ?? arch, variant = 'default', more] = words
  const right = words.every((word) => /^[a-z0-9][a-z0-9._-]*$/.test(word)) && more === undefined
  if (right && distribution !== undefined && release !== undefined)
    return { distribution, release, architecture, variant }
  throw new HolmError('HOLM_BASE_INVALID', `${text} names no image of a server`, {
    hint: `Write ${form}, for example download:debian/bookworm.`,
  })
}

/** The one name of an image: what its local copy is called. */
export function nameOfServerImage({ distribution, release, architecture, variant }: ServerImage): string {
  return `${lead}${[distribution, release, architecture, variant].join('/')}`
}

export interface AskOptions {
  readonly fetch: typeof globalThis.fetch
  readonly signal?: AbortSignal
}

/** One build of an image: where it lies on the server, and its checksum when the index has it. */
interface Offer extends ServerImage {
  readonly aliases: readonly string[]
  readonly build: string
  readonly path: string
  readonly sum: string | undefined
}

/** The newest build of an image and its checksum, from what the server lists: simplestreams, else the index of LXC's template. */
export async function findServerImage(
  server: string,
  image: ServerImage,
  options: AskOptions,
): Promise<PublishedFile> {
  const base = server.endsWith('/') ? server : `${server}/`
  assertPrivate(base)
  const offers = (await askStreams(base, options)) ?? (await askIndex(base, options))
  if (offers === undefined)
    throw new HolmError('HOLM_COMMAND_FAILED', `${server} lists no images`, {
      hint: 'Correct base.imageServer: it needs streams/v1/index.json or meta/1.0/index-system.',
    })
  const newest = offers
    .filter((offer) => isMeant(offer, image))
    .toSorted((a, b) => a.build.localeCompare(b.build, 'en', { numeric: true }))
    .at(-1)
  if (newest === undefined) throw unknownImage(server, image, offers)
  const url = addressOf(base, newest.path)
  return { url, sum: newest.sum ?? (await askSum(url, options)) }
}

function isMeant(offer: Offer, image: ServerImage): boolean {
  if (offer.architecture !== image.architecture) return false
  const { distribution, release, variant } = image
  if (offer.aliases.includes(`${distribution}/${release}/${variant}`)) return true
  if (variant === 'default' && offer.aliases.includes(`${distribution}/${release}`)) return true
  return offer.distribution === distribution && offer.release === release && offer.variant === variant
}

function unknownImage(server: string, image: ServerImage, offers: readonly Offer[]): HolmError {
  const { distribution, architecture } = image
  const named = (some: readonly Offer[]): string =>
    [...new Set(some.map(({ release, variant }) => `${release}/${architecture}/${variant}`))].join(', ')
  const same = offers.filter((offer) => offer.distribution === distribution)
  const fits = same.filter((offer) => offer.architecture === architecture)
  const distributions = [...new Set(offers.map((offer) => offer.distribution))].toSorted().join(', ')
  return new HolmError(
    'HOLM_BASE_NOT_FOUND',
    `${server} has no image ${nameOfServerImage(image).slice(lead.length)}`,
    {
      hint:
        fits.length > 0
          ? `Of ${distribution} it has ${named(fits)}.`
          : same.length > 0
            ? `It has ${distribution} for ${[...new Set(same.map((offer) => offer.architecture))].join(', ')}.`
            : `It has ${distributions === '' ? 'none at all' : distributions}.`,
      details: { server, image },
    },
  )
}

/** The list says which bytes are right, so nobody may change it on its way. */
function assertPrivate(server: string): void {
  const { protocol, hostname } = new URL(server)
  if (protocol === 'https:' || /^(?:127(?:\.\d+){3}|localhost|\[::1\])$/.test(hostname)) return
  throw new HolmError('HOLM_CONFIG_INVALID', `the image server ${server} is not encrypted`, {
    hint: 'Give base.imageServer an https address.',
  })
}

function addressOf(server: string, path: string): string {
  const address = new URL(path.replace(/^\/+/, ''), server)
  if (address.href.startsWith(new URL(server).href)) return address.href
  throw new HolmError('HOLM_BASE_INVALID', `${server} lists ${path}, which is not on it`, {
    hint: 'Use another image server.',
  })
}

interface StreamsIndex {
  readonly index?: Readonly<Record<string, { readonly datatype?: string; readonly path?: string }>>
}

interface StreamsImages {
  readonly products?: Readonly<Record<string, Product>>
}

interface Product {
  readonly aliases?: string
  readonly arch?: string
  readonly versions?: Readonly<Record<string, { readonly items?: Readonly<Record<string, Item>> }>>
}

interface Item {
  readonly ftype?: string
  readonly path?: string
  readonly sha256?: string
}

async function askStreams(server: string, options: AskOptions): Promise<readonly Offer[] | undefined> {
  const first = addressOf(server, 'streams/v1/index.json')
  const text = await askText(first, options)
  if (text === undefined) return undefined
  const lists = readJson(text, first, (value) =>
    Object.values((value as StreamsIndex).index ?? {}).flatMap(({ datatype, path }) =>
      datatype === 'image-downloads' && path !== undefined ? [addressOf(server, path)] : [],
    ),
  )
  const texts = await Promise.all(lists.map(async (list) => [list, await askText(list, options)] as const))
  return texts.flatMap(([list, said]) => (said === undefined ? [] : parseStreams(said, list)))
}

/** Root filesystems of a list of products; `from` is named in errors. Pure. */
export function parseStreams(text: string, from: string): readonly Offer[] {
  return readJson(text, from, (value) =>
    Object.entries((value as StreamsImages).products ?? {}).flatMap(([key, product]) =>
      offersOf(key.toLowerCase(), product),
    ),
  )
}

function offersOf(key: string, { arch, aliases = '', versions = {} }: Product): Offer[] {
  const [distribution = '', release = '', architecture = '', variant = 'default'] = key.split(':')
  const image = { distribution, release, architecture: arch ?? architecture, variant }
  return Object.entries(versions).flatMap(([build, { items = {} }]) => {
    const { path, sha256 = '' } = Object.values(items).find(({ ftype }) => ftype === 'root.tar.xz') ?? {}
    if (typeof path !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)) return []
    return [{ ...image, aliases: aliases.toLowerCase().split(','), build, path, sum: sha256 }]
  })
}

async function askIndex(server: string, options: AskOptions): Promise<readonly Offer[] | undefined> {
  const text = await askText(addressOf(server, 'meta/1.0/index-system'), options)
  return text === undefined ? undefined : parseIndex(text)
}

/** Lines "distribution;release;architecture;variant;build;path". Pure. */
export function parseIndex(text: string): readonly Offer[] {
  return text.split('\n').flatMap((line) => {
    const [distribution, release, architecture, variant = 'default', build = '', path] = line
      .trim()
      .split(';')
    if (!distribution || !release || !architecture || !path) return []
    const place = `${path.replace(/\/+$/, '')}/rootfs.tar.xz`
    return [{ distribution, release, architecture, variant, aliases: [], build, path: place, sum: undefined }]
  })
}

/** The checksum in the list beside a file. */
async function askSum(url: string, options: AskOptions): Promise<string> {
  const list = new URL('SHA256SUMS', url).href
  const text = await askText(list, options)
  const sum = parseSums(text ?? '').find(({ file }) => file === 'rootfs.tar.xz')?.sum
  if (sum !== undefined) return sum
  throw new HolmError('HOLM_BASE_INVALID', `the server publishes no checksum of ${url}`, {
    hint: 'Import that address with the checksum that you trust: holm base import <name> <address> --sha256 <checksum>.',
    details: { url, list },
  })
}

/** Undefined: there is no such file. */
async function askText(url: string, { fetch, signal }: AskOptions): Promise<string | undefined> {
  const hint =
    'Check the network and base.imageServer, or fetch the file elsewhere and use holm base add <name> <file>.'
  const failed = (cause: unknown): HolmError =>
    signal?.aborted === true
      ? abortError(signal)
      : new HolmError('HOLM_COMMAND_FAILED', `${url} cannot be reached`, { hint, cause })
  const response = await fetch(url, signal ? { signal } : {}).catch((cause: unknown) => {
    throw failed(cause)
  })
  if (response.status === 404) {
    await response.body?.cancel()
    return undefined
  }
  if (!response.ok) throw new HolmError('HOLM_COMMAND_FAILED', `${url} answered ${response.status}`, { hint })
  return response.text().catch((cause: unknown) => {
    throw failed(cause)
  })
}

/** What `read` makes of a text; an error that names the server when it is something else. */
function readJson<Result>(text: string, from: string, read: (value: unknown) => Result): Result {
  try {
    return read(JSON.parse(text))
  } catch (error) {
    if (isHolmError(error)) throw error
    throw new HolmError('HOLM_COMMAND_FAILED', `${from} answered something that is no list of images`, {
      hint: 'Correct base.imageServer.',
      cause: error,
    })
  }
}
