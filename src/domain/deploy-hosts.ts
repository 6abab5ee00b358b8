import type { DeployHost } from '../contracts/deploy';
import type { ConfiguredServer } from '../contracts/fleet-config';
import { isMachine } from './fleet-config';

/** What is known of the machines where a destination's files leave lists of hosts empty. */
export interface FleetFacts {
  destination: string;
  /** Addresses in the registry. `isPresent`: not offline, or with a beat of a moment ago. */
  registered: readonly { host: string; isPresent: boolean }[];
  /** As FLEET_CONFIG or the fleet file says; its environments are named like destinations. */
  configured: readonly Pick<ConfiguredServer, 'ip' | 'environment' | 'role'>[];
  /** Hosts of the last deploy that touched the destination, if that left it broken. */
  broken: readonly string[];
}

export interface FleetHosts {
  hosts: string[];
  /** Registered and away: they keep the version that they have. */
  leftOut: string[];
}

/**
 * A machine that is away is left out unless somebody says that it belongs here: the configuration, or a deploy that broke on it. Then it is asked,
 * and refuses the deploy by its name; an autoscaled one that is gone for good must not.
 */
export const pickFleetHosts = ({ destination, registered, configured, broken }: FleetFacts): FleetHosts => {
  const machines = configured.filter(isMachine).flatMap(({ ip, environment }) => (ip ? [{ ip, environment }] : []));
  const elsewhere = new Set(
    machines.filter(({ environment }) => environment !== undefined && environment !== destination).map(({ ip }) => ip),
  );
  const own = registered.filter(({ host }) => !elsewhere.has(host));
  const hosts = new Set([
    ...own.filter(({ isPresent }) => isPresent).map(({ host }) => host),
    ...machines.filter(({ environment }) => environment === destination).map(({ ip }) => ip),
    ...broken,
  ]);
  return {
    hosts: [...hosts].toSorted(),
    leftOut: own
      .map(({ host }) => host)
      .filter((host) => !hosts.has(host))
      .toSorted(),
  };
};

/** What fills a role without hosts: the fleet, and once there is a plan what was planned for it, whatever the fleet does meanwhile. */
export const fillerOf =
  (planned: readonly Pick<DeployHost, 'host' | 'roles'>[], fleet: readonly string[]) =>
  (role: string): readonly string[] =>
    planned.length === 0 ? fleet : planned.filter(({ roles }) => roles.includes(role)).map(({ host }) => host);
