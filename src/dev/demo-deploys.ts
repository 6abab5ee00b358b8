import path from 'node:path';
import type { DeployYard } from './deploy-yard';
import type { Simulator } from './gh-simulator/simulator';
import { startStandInYard } from './kamal-stand-in/stand-in-yard';
import { startKamalYard } from './kamal-yard/kamal-yard';
import { canRunKamalYard } from './kamal-yard/prerequisites';
import { claimPort } from './ports';

/** Where the demo's deploys go, and what the deployer must know of it. */
export interface DemoDeployGround {
  destination: string;
  /** The real Kamal over SSH to containers, or the stand-in on hosts that are files. */
  isReal: boolean;
  settings: Record<string, string>;
  stop(): Promise<void>;
}

/** `demo-3` ends at its start: a deploy of it has to put the version before back. */
export const demoVersions = ['demo-1', 'demo-2', 'demo-3'] as const;
const destination = 'staging';

/** Hosts of their own beside the simulated ones, so that no deploy waits for the demo's jobs. */
const realHosts = ['127.0.0.5', '127.0.0.6'];

export const prepareDeploys = async (options: {
  dir: string;
  databaseUrl: string;
  simulator: Simulator;
  serviceSecret: string;
  say: (line: string) => void;
}): Promise<DemoDeployGround> => {
  const reason = await findWhyNotReal();
  const yard = reason === null ? await startReal(options) : await startStandIn(options);
  options.say(
    reason === null
      ? `Deploys: the real Kamal over SSH, to containers on ${realHosts.join(' and ')}`
      : `Deploys: Kamal's stand-in on the simulated hosts, since the real one needs ${reason}`,
  );
  for (const version of demoVersions) await yard.push(version, version === 'demo-3' ? { broken: 'exits' } : {});
  return {
    destination,
    isReal: reason === null,
    settings: {
      ...yard.kamalEnv,
      KAMAL_BIN: yard.kamalBin,
      KAMAL_CONFIG_DIR: yard.configDir,
      DEPLOY_STATE_DIR: path.join(options.dir, 'deploys'),
      INSTALLATION: 'demo',
      DEPLOY_SECRET_KAMAL_REGISTRY_PASSWORD: yard.registry.password,
      ...Object.fromEntries(Object.entries(yard.secrets).map(([name, value]) => [`DEPLOY_SECRET_${name}`, value])),
    },
    stop: yard.stop,
  };
};

const findWhyNotReal = async (): Promise<string | null> => {
  const found = canRunKamalYard();
  if (!found.ok) return found.missing.join(', ');
  for (const host of realHosts) {
    for (const port of [2222, 3100, 3101]) {
      const isFree = await claimPort({ port, host, purpose: 'a host of the deploys', changeWith: 'nothing' }).then(
        () => true,
        () => false,
      );
      if (!isFree) return `${host}:${port}, which is taken`;
    }
  }
  return null;
};

type Ground = Parameters<typeof prepareDeploys>[0];

const startReal = async ({ dir, databaseUrl, serviceSecret, say }: Ground): Promise<DeployYard> =>
  await startKamalYard({ dir: path.join(dir, 'kamal'), hosts: realHosts, databaseUrl, serviceSecret, writeSecrets: false, say });

const startStandIn = async ({ dir, simulator }: Ground): Promise<DeployYard> =>
  await startStandInYard({
    dir: path.join(dir, 'kamal'),
    hosts: simulator.hosts.map(({ ip }) => ip),
    simulatorUrl: `http://127.0.0.1:${simulator.controlPort}`,
    writeSecrets: false,
    stepMs: 200,
  });
