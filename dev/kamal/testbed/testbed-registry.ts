import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startKeptProcess } from '../../tools/kept-process';
import { claimPort } from '../../tools/ports';
import { programPath } from './prerequisites';

/** ECR's user. The password is made to be found again in logs: it holds characters that base64 and URLs write differently. */
export const registryLogin = {
  username: 'AWS',
  password: 'yard-registry-pass+word/9',
  /** bcrypt of the password, by `htpasswd -nbB -C 5`; Node has no bcrypt. */
  htpasswd: 'AWS:$2y$05$QolgKYvY3YJipCBvanK8cO4/AqfozsA1MhoqzA0m/TmbcnIlaVM2q',
} as const;

export interface TestbedRegistry {
  /** `127.0.0.1:port`, as image names begin. Kamal takes `localhost:` for a registry of its own and skips the login. */
  server: string;
  username: string;
  password: string;
  /** Lets a tag such as `staging` point to that version, with the same digest. */
  tagMoving(tag: string, version: string): Promise<void>;
  remove(version: string): Promise<void>;
  digestOf(tag: string): Promise<string | null>;
  stop(): Promise<void>;
}

const manifestTypes = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
const readyWithinMs = 20_000;

export const startTestbedRegistry = async (dir: string, repository: string): Promise<TestbedRegistry> => {
  const folder = path.join(dir, 'registry');
  await mkdir(folder, { recursive: true });
  const port = await claimPort({ port: 0, purpose: 'the image registry', changeWith: 'nothing' });
  const server = `127.0.0.1:${port}`;
  const configFile = path.join(folder, 'config.yml');
  await writeFile(path.join(folder, 'htpasswd'), `${registryLogin.htpasswd}\n`);
  await writeFile(
    configFile,
    JSON.stringify({
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: path.join(folder, 'data') }, delete: { enabled: true } },
      http: { addr: server, secret: 'testbed' },
      auth: { htpasswd: { realm: 'testbed', path: path.join(folder, 'htpasswd') } },
    }),
  );
  const kept = await startKeptProcess({
    name: 'registry',
    dir: path.join(dir, 'kept'),
    command: programPath('docker-registry') ?? 'docker-registry',
    args: ['serve', configFile],
    stopSignal: 'SIGTERM',
    stopWithinMs: 5_000,
  });
  const { username, password } = registryLogin;
  const ask = async (url: string, init: { method?: string; body?: string; headers?: Record<string, string> } = {}): Promise<Response> =>
    await fetch(`http://${server}/v2/${url}`, {
      ...init,
      headers: {
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
        accept: manifestTypes,
        ...init.headers,
      },
    });
  await kept.untilReady(
    async () =>
      await ask('').then(
        (response) => response.ok,
        () => false,
      ),
    readyWithinMs,
  );
  const digestOf = async (tag: string): Promise<string | null> =>
    (await ask(`${repository}/manifests/${tag}`, { method: 'HEAD' })).headers.get('docker-content-digest');
  return {
    server,
    username,
    password,
    digestOf,
    async tagMoving(tag, version) {
      const manifest = await ask(`${repository}/manifests/${version}`);
      if (!manifest.ok) throw new Error(`the registry has no ${version} (${manifest.status})`);
      const put = await ask(`${repository}/manifests/${tag}`, {
        method: 'PUT',
        body: await manifest.text(),
        headers: { 'content-type': manifest.headers.get('content-type') ?? '' },
      });
      if (!put.ok) throw new Error(`the registry refuses the tag ${tag}: ${put.status} ${await put.text()}`);
    },
    async remove(version) {
      const digest = await digestOf(version);
      if (digest !== null) await ask(`${repository}/manifests/${digest}`, { method: 'DELETE' });
    },
    stop: kept.stop,
  };
};
