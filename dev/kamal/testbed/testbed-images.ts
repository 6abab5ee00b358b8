import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { PushOptions } from '../deploy-testbed';
import { runProgram } from '../../tools/run-program';
import { podmanArgs, podmanProgram, type PodmanSettings, writeDocker } from './podman';
import { registryLogin } from './testbed-registry';

const faults = {
  // At its second start only after a while, since podman would start it again dozens of times a second.
  exits:
    'const fs = require("fs"); const again = fs.existsSync("/tmp/again"); fs.writeFileSync("/tmp/again", "");' +
    'setTimeout(() => process.exit(1), again ? 1_000 : 0)',
  // Later than the readiness delay and the second check behind it.
  'exits-late': 'setTimeout(() => process.exit(1), 8_000)',
  mute: 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => undefined, 1_000)',
} as const satisfies Record<NonNullable<PushOptions['broken']>, string>;

export interface ImagesOptions {
  dir: string;
  server: string;
  service: string;
  podman: PodmanSettings;
  /** The program of a good image; the role's `cmd` follows it as an argument. */
  entrypoint: string[];
  /** Where the containers find Node. */
  node: string;
}

/** Folders that are mounted from the host; an image of nothing else is made and pushed in half a second. */
const mountPoints = ['usr', 'lib', 'lib64', 'testbed', 'proc', 'dev', 'sys', 'tmp', 'etc', 'run', 'var'];

export interface TestbedImages {
  /** Folder of a `docker` that is nobody's host, as on the machine that deploys. */
  bin: string;
  push(version: string, options?: PushOptions): Promise<void>;
}

export const prepareTestbedImages = async (options: ImagesOptions): Promise<TestbedImages> => {
  const { dir, server, service, entrypoint, node } = options;
  const folder = path.join(dir, 'builder');
  const root = path.join(folder, 'root');
  const archive = path.join(folder, 'root.tar');
  for (const name of mountPoints) await mkdir(path.join(root, name), { recursive: true });
  await runProgram('tar', ['-C', root, '-cf', archive, '.']);
  const { bin, env } = await writeDocker(folder, options.podman);
  const podman = async (...args: string[]): Promise<string> =>
    await runProgram(podmanProgram(), [...podmanArgs(folder, options.podman), ...args], { env: { ...process.env, ...env } });

  return {
    bin,
    async push(version, { broken, wrongLabel = false } = {}) {
      const program = broken ? [node, '-e', faults[broken]] : entrypoint;
      const changes = [
        `ENTRYPOINT ${JSON.stringify(program)}`,
        `ENV IMAGE_TAG=${version}`,
        `LABEL service=${wrongLabel ? `not-${service}` : service}`,
      ];
      const image = `${server}/${service}:${version}`;
      await podman('import', ...changes.flatMap((change) => ['--change', change]), archive, image);
      await podman('push', '--quiet', '--creds', `${registryLogin.username}:${registryLogin.password}`, image);
    },
  };
};
