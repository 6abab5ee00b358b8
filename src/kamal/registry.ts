import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../domain/json';
import { rankImmutableTags } from '../domain/moving-tag';
import type { Sensitive } from '../domain/sensitive';

/** A Docker registry (API v2), asked about the one repository of the destination. */
export interface Registry {
  /** Digest of a tag's manifest; null: there is no such tag. */
  findDigest(tag: string, signal: AbortSignal): Promise<string | null>;
  listTags(signal: AbortSignal): Promise<string[]>;
  /** The immutable tag with the same digest as a moving one; null: there is none. */
  findImmutableTag(movingTag: string, signal: AbortSignal): Promise<string | null>;
}

export interface RegistryOptions {
  /** Host and perhaps port, as in Kamal's configuration. */
  server: string;
  image: string;
  username: string;
  password: Sensitive<string>;
  timeoutMs: number;
}

/** The registry does not answer as one does; the text names the request, never a credential. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

/** Single images and lists of platforms, of Docker and of OCI: without a kind a registry converts, which changes the digest. */
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

const tagsPerPage = 1_000;
/** 20,000 tags: more is no list that anybody wants to compare one by one. */
const pagesMax = 20;
/** Enough for those that the image speaks of. */
const digestsAtFirst = 8;
/** 2,000 tags in 63 rounds: some seconds of a registry that is far away. */
const digestsAtOnce = 32;
/** Manifests and pages of tags are some 100 KB. */
const answerBytesMax = 8_388_608;

export const createRegistry = (options: RegistryOptions): Registry => {
  const { origin, repository } = locate(options);
  const ask = createAsk(options, origin);

  const findDigest = async (tag: string, signal: AbortSignal): Promise<string | null> => {
    const path = `/v2/${repository}/manifests/${encodeURIComponent(tag)}`;
    const answer = await ask('HEAD', path, signal);
    if (answer.status === 404) return null;
    expectOk(answer, path);
    const sent = answer.headers.get('docker-content-digest');
    if (sent !== null) return sent;
    // It is the hash of the manifest's bytes, whoever computes it.
    return `sha256:${createHash('sha256')
      .update(await readBounded(expectOk(await ask('GET', path, signal), path)))
      .digest('hex')}`;
  };

  const listTags = async (signal: AbortSignal): Promise<string[]> => {
    const tags: string[] = [];
    let path: string | null = `/v2/${repository}/tags/list?n=${tagsPerPage}`;
    for (let page = 0; path !== null; page += 1) {
      if (page === pagesMax) throw new RegistryError(`${options.server} has more than ${pagesMax * tagsPerPage} tags of ${repository}`);
      const answer: Response = await ask('GET', path, signal);
      if (answer.status === 404) return tags;
      tags.push(...readTags(await readBounded(expectOk(answer, path))));
      path = nextPage(answer, origin);
    }
    return tags;
  };

  const read = async <Output>(schema: z.ZodType<Output>, path: string, signal: AbortSignal): Promise<Output> =>
    readAs(schema, await readBounded(expectOk(await ask('GET', path, signal), path)));

  /** What an image says of itself: the values of its labels and of its environment. Only a hint, so what cannot be read says nothing. */
  const readImageHints = async (digest: string, signal: AbortSignal): Promise<string[]> => {
    try {
      const top = await read(manifestSchema, `/v2/${repository}/manifests/${digest}`, signal);
      const platform = top.manifests?.[0]?.digest;
      const manifest = platform === undefined ? top : await read(manifestSchema, `/v2/${repository}/manifests/${platform}`, signal);
      if (manifest.config === undefined) return [];
      const { config } = await read(imageSchema, `/v2/${repository}/blobs/${manifest.config.digest}`, signal);
      return [...Object.values(config?.Labels ?? {}), ...(config?.Env ?? []).map((line) => line.slice(line.indexOf('=') + 1))];
    } catch {
      signal.throwIfAborted();
      return [];
    }
  };

  return {
    findDigest,
    listTags,
    async findImmutableTag(movingTag, signal) {
      const digest = await findDigest(movingTag, signal);
      if (digest === null) return null;
      const [tags, hints] = await Promise.all([listTags(signal), readImageHints(digest, signal)]);
      const candidates = rankImmutableTags(movingTag, tags, hints);
      // In the order of preference, so that the first one with the same digest is the answer.
      for (let at = 0, count = digestsAtFirst; at < candidates.length; at += count, count = digestsAtOnce) {
        const some = candidates.slice(at, at + count);
        const digests = await Promise.all(some.map((tag) => findDigest(tag, signal)));
        const found = some.find((_tag, n) => digests[n] === digest);
        if (found !== undefined) return found;
      }
      return null;
    },
  };
};

/** Docker speaks plain HTTP to this machine itself and to nobody else; its hub has a name and a place of its own. */
const locate = ({ server, image }: RegistryOptions): { origin: string; repository: string } => {
  if (/^(?:index\.|registry-1\.)?docker\.io$/.test(server))
    return { origin: 'https://registry-1.docker.io', repository: image.includes('/') ? image : `library/${image}` };
  const isLoopback = /^(?:127(?:\.\d+){3}|\[::1\]|localhost)(?::\d+)?$/.test(server);
  return { origin: `${isLoopback ? 'http' : 'https'}://${server}`, repository: image };
};

type Ask = (method: 'GET' | 'HEAD', path: string, signal: AbortSignal) => Promise<Response>;

/** Asks with what the registry has asked for before: nothing, the password itself, or a token that its authority gives for the password. */
const createAsk = ({ username, password, timeoutMs, server }: RegistryOptions, origin: string): Ask => {
  const basic = `Basic ${Buffer.from(`${username}:${password.unredacted()}`).toString('base64')}`;
  let authorization: string | null = null;

  const send = async (url: string, init: { method: string; authorization: string | null }, signal: AbortSignal): Promise<Response> => {
    const headers = { accept: manifestTypes, ...(init.authorization === null ? {} : { authorization: init.authorization }) };
    try {
      return await fetch(url, { method: init.method, headers, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    } catch (error) {
      signal.throwIfAborted();
      throw new RegistryError(`${server} does not answer: ${reasonOf(error)}`);
    }
  };

  const authorize = async (challenge: string, signal: AbortSignal): Promise<string> => {
    if (/^basic\b/i.test(challenge)) return basic;
    const field = (name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
    const realm = field('realm');
    if (!/^bearer\b/i.test(challenge) || realm === undefined) throw new RegistryError(`${server} asks for an unknown kind of sign-in`);
    const url = new URL(realm);
    // The password goes there.
    if (url.protocol !== 'https:' && url.origin !== origin) throw new RegistryError(`${server} wants the password to be sent in the open`);
    for (const name of ['service', 'scope']) if (field(name) !== undefined) url.searchParams.set(name, field(name) ?? '');
    const answer = await send(url.href, { method: 'GET', authorization: basic }, signal);
    const token = readToken(await readBounded(expectOk(answer, url.pathname)));
    return `Bearer ${token}`;
  };

  return async (method, path, signal) => {
    const answer = await send(origin + path, { method, authorization }, signal);
    if (answer.status !== 401) return answer;
    await answer.body?.cancel();
    authorization = await authorize(answer.headers.get('www-authenticate') ?? '', signal);
    return await send(origin + path, { method, authorization }, signal);
  };
};

/** `fetch failed` says nothing; what made it fail stands below. */
const reasonOf = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return String(error);
  if ('cause' in error && error.cause !== undefined) return reasonOf(error.cause);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'message' in error ? String(error.message) : 'no reason is told';
};

const expectOk = (answer: Response, path: string): Response => {
  if (answer.ok) return answer;
  const hint = answer.status === 401 || answer.status === 403 ? ' (the user name or password is refused)' : '';
  throw new RegistryError(`the registry answers ${answer.status} to ${path}${hint}`);
};

const readBounded = async (answer: Response): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new RegistryError('the registry answers more than anybody would read');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const describedSchema = z.object({ digest: z.string().regex(/^[a-z0-9]+:[0-9a-f]+$/) });
const manifestSchema = z.object({ manifests: z.array(describedSchema).optional(), config: describedSchema.optional() });
const imageSchema = z.object({
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish(), Env: z.array(z.string()).nullish() }).nullish(),
});
const tagsSchema = z.object({ tags: z.array(z.string()).nullish() });
const tokenSchema = z.object({ token: z.string().min(1).optional(), access_token: z.string().min(1).optional() });

const readTags = (body: Buffer): string[] => readAs(tagsSchema, body).tags ?? [];

const readToken = (body: Buffer): string => {
  const { token, access_token: accessToken } = readAs(tokenSchema, body);
  const found = token ?? accessToken;
  if (found === undefined) throw new RegistryError('the registry gives no token');
  return found;
};

const readAs = <Output>(schema: z.ZodType<Output>, body: Buffer): Output => {
  const read = schema.safeParse(parseJson(body.toString('utf8')));
  // What it says is not repeated: it may hold a token.
  if (!read.success) throw new RegistryError('the registry answers what cannot be understood');
  return read.data;
};

/** `Link: </v2/…>; rel="next"`, never to another place. */
const nextPage = (answer: Response, origin: string): string | null => {
  const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get('link') ?? '') ?? [];
  if (target === undefined) return null;
  const url = new URL(target, origin);
  return url.origin === origin ? url.pathname + url.search : null;
};
