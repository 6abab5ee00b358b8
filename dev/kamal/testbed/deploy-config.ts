import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';

export interface DeployConfigOptions {
  /** Kamal is started here: it holds `config/deploy.yml`, `config/deploy.<destination>.yml` and `.kamal`. */
  folder: string;
  service: string;
  registry: { server: string; username: string; password: string };
  sshPort: number;
  sshKey: string;
  /** Of each destination. */
  hosts: Record<string, readonly string[]>;
  /** False: host lists are empty, as in ATM's files, and whoever deploys fills them in files of their own. */
  fillHosts: boolean;
  /** Values of `env.secret`, written as Kamal's secrets files unless the deployer brings its own. */
  secrets: Record<string, string>;
  writeSecrets: boolean;
  clear: Record<string, string>;
  volumes: readonly string[];
  apiPort: number;
  workerPort: number;
}

/** ATM's files as they are (atm §2.4), with shorter times; what one machine asks for is marked. */
export const writeDeployConfig = async (options: DeployConfigOptions): Promise<void> => {
  const { folder, service, registry, hosts } = options;
  const at = (...names: string[]): string => path.join(folder, ...names);
  await mkdir(at('config'), { recursive: true });
  await mkdir(at('.kamal'), { recursive: true });

  const role = (kind: 'api' | 'worker', ports: number[]): object => ({
    hosts: [],
    proxy: false,
    cmd: kind,
    labels: { 'gh.service': kind, 'gh.managed': 'true' },
    options: { publish: ports.map((port) => `${port}:${port}`), network: 'host' },
  });
  const config = {
    service,
    image: service,
    require_destination: true,
    minimum_version: '2.0.0',
    retain_containers: 5,
    // ATM has 120 and 7. With a delay of 0 a container that was dying once passed (kamal §6.2).
    deploy_timeout: 5,
    drain_timeout: 30,
    readiness_delay: 1,
    registry: { server: registry.server, username: registry.username, password: ['KAMAL_REGISTRY_PASSWORD'] },
    builder: { arch: 'amd64' },
    servers: { web: role('api', [options.apiPort]), workers: role('worker', [options.workerPort]) },
    // Of this machine: hosts are addresses of it, and the containers see its files.
    ssh: { user: 'root', port: options.sshPort, keys: [options.sshKey], keys_only: true, config: false },
    volumes: options.volumes,
    env: {
      clear: {
        NODE_ENV: 'production',
        GH_API_PORT: String(options.apiPort),
        GH_WORKER_PORT: String(options.workerPort),
        MAX_CONCURRENT_JOBS: '1',
        ...options.clear,
      },
      secret: Object.keys(options.secrets),
    },
  };
  await writeFile(at('config/deploy.yml'), stringify(config));
  for (const [destination, ips] of Object.entries(hosts)) {
    const filled = { hosts: options.fillHosts ? ips : [] };
    await writeFile(at(`config/deploy.${destination}.yml`), stringify({ servers: { web: filled, workers: filled } }));
    if (options.writeSecrets) await writeFile(at(`.kamal/secrets.${destination}`), dotenv(options.secrets), { mode: 0o600 });
  }
  if (options.writeSecrets) {
    await writeFile(at('.kamal/secrets-common'), dotenv({ KAMAL_REGISTRY_PASSWORD: registry.password }), { mode: 0o600 });
  }
};

/** In single quotes nothing is expanded or run. */
const dotenv = (values: Record<string, string>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('');
