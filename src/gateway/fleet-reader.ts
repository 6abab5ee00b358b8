import { listProbes, type FleetProbe, type FleetWorker } from '../db/fleet/fleet';
import { findFleetPause, listHolds, type FleetPause, type Hold } from '../db/fleet/holds';
import { listLocatedWorkers } from '../db/fleet/located-workers';
import { withTransaction } from '../db/pool';
import { findLastSweep } from '../db/fleet/sweep-reports';
import { addressesOf } from '../domain/fleet-config';
import { reportHosts, type ReportedHost } from '../domain/fleet-report';
import type { GatewayDeps } from './gateway-deps';

export type FleetHost = ReportedHost<FleetWorker, FleetProbe, Hold>;

export interface FleetRead {
  hosts: FleetHost[];
  withoutAddress: FleetWorker[];
  pause: FleetPause | null;
  lastSweep: Awaited<ReturnType<typeof findLastSweep>>;
  lastFullSweep: Awaited<ReturnType<typeof findLastSweep>>;
}

/** The fleet as the rows say, all of it at one moment. Every page that shows health shows this one. */
export const readFleet = async ({ pool, limits, fleetConfig }: Pick<GatewayDeps, 'pool' | 'limits' | 'fleetConfig'>): Promise<FleetRead> =>
  await withTransaction(pool, async (client) => {
    await client.query('set transaction isolation level repeatable read, read only');
    const workers = await listLocatedWorkers(client, limits, { isInTransaction: true });
    const [probes, holds, pause, lastSweep, lastFullSweep] = await Promise.all([
      listProbes(client, limits),
      listHolds(client),
      findFleetPause(client),
      findLastSweep(client),
      findLastSweep(client, { kind: 'full' }),
    ]);
    return { ...reportHosts({ workers, probes, holds, configured: addressesOf(fleetConfig.current()) }), pause, lastSweep, lastFullSweep };
  });
