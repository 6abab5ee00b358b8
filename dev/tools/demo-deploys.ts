import path from 'node:path';
import type { DeployTestbed } from '../kamal/deploy-testbed';
import type { Simulator } from '../gh/simulator';
import { startStandInTestbed } from '../kamal/stand-in/stand-in-testbed';
import { sshPort, startKamalTestbed } from '../kamal/testbed/kamal-testbed';
import { canRunKamalTestbed } from '../kamal/testbed/prerequisites';
import { claimPort } from './ports';

/** Where the demo's deploys go, and what the deployer must know of it. */
export interface DemoDeployTarget {
  destination: string;
  settings: Record<string, string>;
  stop(): Promise<void>;
}

/** `demo-3` ends at its start: a deploy of it has to put the version before back. */
export const demoVersions = ['demo-1', 'demo-2', 'demo-3'] as const;
const destination = 'staging';

export interface DemoDeployHosts {
  ips: string[];
  /** Null: the real Kamal goes there. */
  whyNotReal: string | null;
}

/** Hosts of their own, on which nothing runs yet, so that no deploy waits for the demo's jobs. */
export const chooseDeployHosts = async (options: { network: string; wantsStandIn: boolean }): Promise<DemoDeployHosts> => {
  const ips = [5, 6].map((n) => `${options.network}.${n}`);
  return { ips, whyNotReal: options.wantsStandIn ? 'you asked for it' : await findWhyNotReal(ips) };
};

export const prepareDeploys = async (options: {
  dir: string;
  databaseUrl: string;
  hosts: DemoDeployHosts;
  /** Plays GH on these hosts where the real Kamal does not go. */
  simulator: Simulator;
  serviceSecret: string;
  say: (line: string) => void;
}): Promise<DemoDeployTarget> => {
  const { ips, whyNotReal } = options.hosts;
  const testbed = whyNotReal === null ? await startReal(options) : await startStandIn(options);
  const where = ips.join(' and ');
  options.say(
    whyNotReal === null
      ? `Deploys: the real Kamal over SSH, to containers on ${where}`
      : `Deploys: Kamal's stand-in, to simulated hosts on ${where}, since ${whyNotReal}`,
  );
  for (const version of demoVersions) await testbed.push(version, version === 'demo-3' ? { broken: 'exits' } : {});
  return {
    destination,
    settings: {
      ...testbed.kamalEnv,
      KAMAL_BIN: testbed.kamalBin,
      KAMAL_CONFIG_DIR: testbed.configDir,
      DEPLOY_STATE_DIR: path.join(options.dir, 'deploys'),
      INSTALLATION: 'demo',
      DEPLOY_SECRET_KAMAL_REGISTRY_PASSWORD: testbed.registry.password,
      ...Object.fromEntries(Object.entries(testbed.secrets).map(([name, value]) => [`DEPLOY_SECRET_${name}`, value])),
    },
    stop: testbed.stop,
  };
};

const findWhyNotReal = async (ips: readonly string[]): Promise<string | null> => {
  const found = canRunKamalTestbed();
  if (!found.ok) return `the real one needs ${found.missing.join(', ')}`;
  for (const host of ips) {
    const isFree = await claimPort({ port: sshPort, host, purpose: "a host's sshd", changeWith: 'nothing' }).then(
      () => true,
      () => false,
    );
    if (!isFree) return `${host}:${sshPort}, which the real one's sshd needs, is taken`;
  }
  return null;
};

type PrepareOptions = Parameters<typeof prepareDeploys>[0];

const startReal = async ({ dir, databaseUrl, hosts, serviceSecret, say }: PrepareOptions): Promise<DeployTestbed> =>
  await startKamalTestbed({ dir: path.join(dir, 'kamal'), hosts: hosts.ips, databaseUrl, serviceSecret, writeSecrets: false, say });

const startStandIn = async ({ dir, hosts, simulator }: PrepareOptions): Promise<DeployTestbed> =>
  await startStandInTestbed({
    dir: path.join(dir, 'kamal'),
    hosts: hosts.ips,
    simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
    writeSecrets: false,
    stepMs: 200,
  });
