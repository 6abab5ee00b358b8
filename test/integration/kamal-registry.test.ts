import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sensitive } from '../../src/domain/sensitive';
import { createRegistry, RegistryError, type Registry, type RegistryOptions } from '../../src/kamal/registry';

const sha = '0f3c9a1be77d20c4a5f6b7c8d9e0f1a2b3c4d5e6';
const password = 'registry-password';
const basic = `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}`;
/** Content of the manifests, by tag. */
let manifests: Map<string, string>;
let requests: string[];
/** Answers before the registry does; true: it did. */
let intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
let sendsDigest: boolean;
let server: Server;
let registry: Registry;

const digestOf = (content: string): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const never = new AbortController().signal;

beforeEach(async () => {
  manifests = new Map([
    ['staging', '{"image":2}'],
    [`staging-${sha}`, '{"image":2}'],
    ['v7', '{"image":1}'],
  ]);
  requests = [];
  sendsDigest = true;
  intercept = () => false;
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'nobody'}`);
    if (!intercept(request, response)) answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  registry = open();
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const port = (): number => (server.address() as AddressInfo).port;
const open = (options: Partial<RegistryOptions> = {}): Registry =>
  createRegistry({
    server: `127.0.0.1:${port()}`,
    image: 'team/app',
    username: 'AWS',
    password: sensitive(password),
    timeoutMs: 5_000,
    ...options,
  });

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const url = new URL(request.url ?? '/', 'http://registry');
  const [, tag] = /^\/v2\/team\/app\/manifests\/(.+)$/.exec(url.pathname) ?? [];
  if (url.pathname === '/v2/team/app/tags/list') {
    const tags = [...manifests.keys()];
    const from = Number(url.searchParams.get('from') ?? 0);
    // Pages of two.
    if (from + 2 < tags.length) response.setHeader('link', `</v2/team/app/tags/list?from=${from + 2}>; rel="next"`);
    response.end(JSON.stringify({ name: 'team/app', tags: tags.slice(from, from + 2) }));
    return;
  }
  const content = tag === undefined ? undefined : manifests.get(decodeURIComponent(tag));
  if (content === undefined) response.statusCode = 404;
  else if (sendsDigest) response.setHeader('docker-content-digest', digestOf(content));
  response.end(request.method === 'HEAD' ? undefined : content);
};

describe('a tag', () => {
  it('has the digest that the registry tells', async () => {
    expect(await registry.findDigest('v7', never)).toBe(digestOf('{"image":1}'));
  });

  it('has the digest of its manifest where the registry tells none', async () => {
    sendsDigest = false;
    expect(await registry.findDigest('v7', never)).toBe(digestOf('{"image":1}'));
  });

  it('that is not there has none', async () => {
    expect(await registry.findDigest('v8', never)).toBeNull();
  });

  it('that moves means the immutable one with the same digest, over any number of pages', async () => {
    expect(await registry.listTags(never)).toEqual(['staging', `staging-${sha}`, 'v7']);
    expect(await registry.findImmutableTag('staging', never)).toBe(`staging-${sha}`);
  });

  it('means nothing when no immutable one has its digest', async () => {
    manifests.set(`staging-${sha}`, '{"image":3}');
    expect(await registry.findImmutableTag('staging', never)).toBeNull();
    expect(await registry.findImmutableTag('nowhere', never)).toBeNull();
  });
});

describe('a registry of 2,000 tags', () => {
  let [openNow, openMax] = [0, 0];
  const commitOf = (name: string): string => createHash('sha1').update(name).digest('hex');
  const wanted = commitOf('staging 617');
  /** Half of them of `staging`, half of the main branch; each answer takes as long as one over the internet. */
  const fill = (moving: { content: string; blob?: string }): void => {
    for (let n = 0; n < 1_000; n += 1) {
      manifests.set(commitOf(`main ${n}`), `{"image":"main ${n}"}`);
      manifests.set(`staging-${commitOf(`staging ${n}`)}`, `{"image":"staging ${n}"}`);
    }
    for (const tag of ['staging', `staging-${wanted}`]) manifests.set(tag, moving.content);
    intercept = (request, response) => {
      const path = new URL(request.url ?? '/', 'http://registry').pathname;
      if (path.endsWith('/tags/list')) response.end(JSON.stringify({ tags: [...manifests.keys()] }));
      else if (path.includes('/blobs/') && moving.blob !== undefined) response.end(moving.blob);
      else if (path.endsWith(`/manifests/${digestOf(moving.content)}`)) response.end(moving.content);
      else {
        openMax = Math.max(openMax, ++openNow);
        setTimeout(() => {
          openNow--;
          answer(request, response);
        }, 30);
      }
      return true;
    };
  };

  it.each([
    ['a label', { Labels: { 'org.opencontainers.image.revision': wanted } }],
    ['its environment', { Env: ['PATH=/bin', `COMMIT_SHA=${wanted.slice(0, 10)}`], Labels: null }],
  ])('is asked for a dozen of them where the image tells its commit in %s', async (_where, config) => {
    fill({ content: `{"config":{"digest":"sha256:${'c'.repeat(64)}"}}`, blob: JSON.stringify({ config }) });
    expect(await registry.findImmutableTag('staging', never)).toBe(`staging-${wanted}`);
    expect(requests.length).toBeLessThan(13);
  });

  it('is asked for half of them, many at once, where the image tells nothing', async () => {
    fill({ content: '{"image":"staging"}' });
    expect(await registry.findImmutableTag('staging', never)).toBe(`staging-${wanted}`);
    expect(requests.length).toBeLessThan(1_010);
    expect(openMax).toBeGreaterThan(4);
  });
});

describe('who asks', () => {
  it('says nothing until it is asked, and then the password', async () => {
    intercept = (request, response) => {
      if (request.headers.authorization === basic) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
      return true;
    };
    await registry.findDigest('v7', never);
    await registry.findDigest('staging', never);
    expect(requests.map((line) => line.split(' ').slice(2).join(' '))).toEqual(['nobody', basic, basic]);
  });

  it('gets a token where the registry has an authority, and sends the password only there', async () => {
    intercept = (request, response) => {
      if (request.url?.startsWith('/token') === true) {
        response.end(JSON.stringify(request.headers.authorization === basic ? { token: 'a-token' } : {}));
        return true;
      }
      if (request.headers.authorization === 'Bearer a-token') return false;
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://127.0.0.1:${port()}/token",service="s",scope="repository:team/app:pull"`,
        })
        .end();
      return true;
    };
    expect(await registry.findDigest('v7', never)).toBe(digestOf('{"image":1}'));
    expect(requests).toEqual([
      'HEAD /v2/team/app/manifests/v7 nobody',
      `GET /token?service=s&scope=repository%3Ateam%2Fapp%3Apull ${basic}`,
      'HEAD /v2/team/app/manifests/v7 Bearer a-token',
    ]);
  });

  it('sends the password to nobody in the open', async () => {
    intercept = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://elsewhere.example/token"' }).end();
      return true;
    };
    await expect(registry.findDigest('v7', never)).rejects.toThrow('wants the password to be sent in the open');
  });

  it('is told that the password is wrong', async () => {
    intercept = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
      return true;
    };
    const problem = registry.findDigest('v7', never);
    await expect(problem).rejects.toThrow('the registry answers 401 to /v2/team/app/manifests/v7 (the user name or password is refused)');
    await expect(problem).rejects.not.toThrow(password);
  });
});

describe('a registry', () => {
  it.each([
    ['that answers no JSON', 'GET', (response: ServerResponse) => response.end('<html>'), 'answers what cannot be understood'],
    ['that fails', 'GET', (response: ServerResponse) => response.writeHead(500).end(), 'the registry answers 500'],
    ['that never stops answering', 'GET', (response: ServerResponse) => flood(response), 'answers more than anybody would read'],
  ])('%s is a problem and no answer', async (_what, _method, play, problem) => {
    intercept = (_request, response) => {
      play(response);
      return true;
    };
    await expect(registry.listTags(never)).rejects.toThrow(problem);
    await expect(registry.listTags(never)).rejects.toThrow(RegistryError);
  });

  it('that does not answer is given up', async () => {
    intercept = () => true;
    await expect(open({ timeoutMs: 300 }).findDigest('v7', never)).rejects.toThrow('does not answer');
  });

  it('that is not there is a problem', async () => {
    const gone = port();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(registry.findDigest('v7', never)).rejects.toThrow(`127.0.0.1:${gone} does not answer: ECONNREFUSED`);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it('is not waited for by who has stopped', async () => {
    intercept = () => true;
    await expect(registry.findDigest('v7', AbortSignal.timeout(200))).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('with pages elsewhere is read to the end of its own', async () => {
    intercept = (_request, response) => {
      response.writeHead(200, { link: '<http://elsewhere.example/v2/team/app/tags/list>; rel="next"' }).end('{"tags":["a"]}');
      return true;
    };
    expect(await registry.listTags(never)).toEqual(['a']);
  });
});

const flood = (response: ServerResponse): void => {
  const piece = Buffer.alloc(1_048_576, ' ');
  const go = (): void => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once('drain', go);
  };
  go();
};
