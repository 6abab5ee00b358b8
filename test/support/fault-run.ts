import type { Client } from '@temporalio/client';
import type { Pool } from 'pg';
import { findViolations } from './checker';
import { startControlPlane } from './control-plane';
import { startDatabaseGate } from './database-gate';
import { gatherEvidence } from './evidence';
import type { Fault } from './faults/fault';
import type { FaultFixture } from './faults/fault-fixture';
import { hostFaults, rack } from './faults/host-faults';
import { systemFaults } from './faults/system-faults';
import { untilAllIsQuiet } from './kill-run';
import { createSeededRandom } from './seeded-random';

/** One line of the fault table. */
export interface FaultRow {
  fault: string;
  runs: number;
  violations: string[];
  recoveryMs: number[];
  leftToPerson: number;
}

/** Idle machines that take what others lose. */
const spareHosts = 4;

export interface StartedFaultFixture extends FaultFixture {
  stop: () => Promise<void>;
}

/** The real processes with production's limits and GH's real times, two orchestrators among them, and a machine for every fault. */
export const startFaultFixture = async ({
  databaseUrl,
  pool,
  client,
  temporal,
  dir,
}: {
  databaseUrl: string;
  pool: Pool;
  client: Client;
  temporal: { address: string; namespace: string };
  dir: string;
}): Promise<StartedFaultFixture> => {
  const gate = await startDatabaseGate(databaseUrl);
  await recordOfflineMarks(pool);
  const faultHosts = [rack, ...hostFaults, ...systemFaults].reduce((sum, { hosts }) => sum + hosts, 0);
  const plane = await startControlPlane({
    databaseUrl,
    ownDatabaseUrl: gate.databaseUrl,
    temporal,
    dir,
    hosts: faultHosts + spareHosts,
    orchestrators: 2,
    timeScale: 1,
    // Postgres has 200 connections for all: a worker without a direct URL holds one instead of two or three (ghosthands §2.4).
    hostOptions: (index) => ({ hasDirectUrl: index % 5 < 2 || index >= 50 }),
  }).catch(async (error: unknown) => {
    await gate.stop();
    throw error;
  });
  return {
    pool,
    client,
    plane,
    gate,
    async stop() {
      await plane.stop();
      await gate.stop();
    },
  };
};

/** Injects every fault once and adds what came of it to the table; the dying rack beside the others, or by itself, which takes longer and measures better. */
export const runFaultRound = async (
  fixture: StartedFaultFixture,
  { round, isRackAlone, table }: { round: number; isRackAlone: boolean; table: Map<string, FaultRow> },
): Promise<void> => {
  const [beside, alone] = isRackAlone ? [hostFaults, [rack, ...systemFaults]] : [[rack, ...hostFaults], systemFaults];
  const free = [...fixture.plane.simulator.hosts];
  const placesOf = new Map([rack, ...hostFaults, ...systemFaults].map((fault) => [fault, free.splice(0, fault.hosts)]));
  const barrier = createBarrier(beside.length);
  const faultOf = new Map<string, string>();
  const injectFault = async (fault: Fault, staged: () => Promise<void>): Promise<void> => {
    const row = rowOf(table, fault.name);
    row.runs++;
    try {
      const result = await fault.inject({ fixture, hosts: placesOf.get(fault) ?? [], round, staged });
      for (const jobId of result.jobIds) faultOf.set(jobId, fault.name);
      if (result.recoveryMs !== null) row.recoveryMs.push(result.recoveryMs);
      if (result.isLeftToPerson === true) row.leftToPerson++;
      row.violations.push(...result.broken);
    } catch (error) {
      barrier.giveUp();
      row.violations.push(error instanceof Error ? error.message : String(error));
    }
  };
  await Promise.all(beside.map(async (fault) => await injectFault(fault, barrier.wait)));
  for (const fault of alone) await injectFault(fault, async () => await Promise.resolve());
  await judge(fixture, table, faultOf);
};

/** Promises 1 to 8 by what happened at the machines and what the product received; and no living worker is written off. */
const judge = async (fixture: StartedFaultFixture, table: Map<string, FaultRow>, faultOf: ReadonlyMap<string, string>): Promise<void> => {
  const whole = rowOf(table, 'whatever the fault');
  whole.runs++;
  await untilAllIsQuiet({ ...fixture, random: createSeededRandom(1) }, { timeoutMs: 120_000 }).catch((error: unknown) => {
    whole.violations.push(String(error));
  });
  const evidence = await gatherEvidence({ ...fixture, acceptedJobIds: [...faultOf.keys()] });
  const known = new Set([...table.values()].flatMap(({ violations }) => violations));
  for (const { promise, jobId, what } of findViolations(evidence)) {
    const violation = `P${promise} ${jobId ?? ''}: ${what}`;
    if (!known.has(violation)) rowOf(table, faultOf.get(jobId ?? '') ?? whole.fault).violations.push(violation);
  }
  const { rows } = await fixture.pool.query<{ worker_id: string; at: Date }>(
    `delete from public.test_offline_mark where application_name ~ '^yardmaster-(orchestrator|gateway)'
     returning worker_id, at`,
  );
  for (const { worker_id: workerId, at } of rows) {
    if (fixture.plane.simulator.lives.couldBeHeard(workerId, at.getTime()))
      whole.violations.push(`${workerId} was marked offline and lived`);
  }
};

/** Who wrote which worker off, in the database itself: no report of ours has to be believed. */
const recordOfflineMarks = async (pool: Pool): Promise<void> => {
  await pool.query(
    `create table public.test_offline_mark (worker_id text, at timestamptz, application_name text);
     create function public.test_note_offline() returns trigger language plpgsql security definer as $$
     begin
       insert into public.test_offline_mark values (new.worker_id, clock_timestamp(), current_setting('application_name'));
       return new;
     end $$;
     create trigger test_note_offline after update of status on gh_worker_registry for each row
       when (new.status = 'offline' and old.status <> 'offline') execute function public.test_note_offline()`,
  );
};

const rowOf = (table: Map<string, FaultRow>, fault: string): FaultRow => {
  const row = table.get(fault) ?? { fault, runs: 0, violations: [], recoveryMs: [], leftToPerson: 0 };
  table.set(fault, row);
  return row;
};

/** Opens when so many have come, or when somebody says that one will not. */
const createBarrier = (count: number): { wait: () => Promise<void>; giveUp: () => void } => {
  let missing = count;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const arrive = (): void => {
    missing--;
    if (missing === 0) open();
  };
  return {
    giveUp: arrive,
    async wait() {
      arrive();
      await opened;
    },
  };
};

export const formatFaultTable = (table: ReadonlyMap<string, FaultRow>): string => {
  const rows = [...table.values()].map(({ fault, runs, violations, recoveryMs, leftToPerson }) => {
    const sorted = recoveryMs.toSorted((a, b) => a - b);
    const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : (ms / 1_000).toFixed(1));
    return [
      fault,
      String(runs),
      String(violations.length),
      seconds(sorted[Math.ceil(sorted.length / 2) - 1]),
      seconds(sorted.at(-1)),
      String(leftToPerson),
    ];
  });
  const lines = [
    ['fault', 'runs', 'violations', 'recovery p50 s', 'max s', 'examined too late'],
    ['---', '---', '---', '---', '---', '---'],
    ...rows,
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
};
