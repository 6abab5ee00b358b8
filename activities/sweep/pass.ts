import {
  sweepFindings,
  type FindingWeight,
  type SweepFinding,
  type SweepItem,
  type SweepKind,
  type SweepReport,
} from '../../src/contracts/sweep';
import type { FleetConfig } from '../../src/contracts/fleet-config';
import { isRefusedByTable } from '../../src/db/outage';
import { withSavepoint, withTransaction } from '../../src/db/pool';
import type { Queryable } from '../../src/db/queryable';
import { atOnce } from '../at-once';
import type { CommandDeps, OrchestratorDeps } from '../deps';

export type SweepDeps = OrchestratorDeps &
  Pick<CommandDeps, 'secrets'> & {
    retentionMs: number;
    deployRetention: { deploysMs: number; linesMs: number };
    heartbeat: () => void;
    /** The fleet as its owner has written it down; read anew each time. */
    fleetConfig: { read(): Promise<FleetConfig> };
  };

/** One pass, as its parts use it: what they may do to rows and workflows, and the report that they all write. */
export interface Pass {
  deps: SweepDeps;
  kind: SweepKind;
  isDryRun: boolean;
  add(item: Omit<SweepItem, 'detail'> & { detail?: string }): void;
  count(finding: SweepFinding, n: number): void;
  /** Says so when a list is as long as a pass takes at most, and whether what it took leaves the list, so that the next pass takes the rest. */
  bound<Row>(what: string, rows: Row[], bound?: { max?: number; isSettledByPass?: boolean }): Row[];
  /**
   * Where statements go. In a dry run it is one transaction that is taken back at the end: each part sees what those before it did, and the report
   * cannot differ from what a pass would do.
   */
  db: Queryable;
  /** Several statements that belong together. */
  together<Result>(work: (db: Queryable) => Promise<Result>): Promise<Result>;
  /** What a neighbour's table refuses, or has no column for, is left undone, and said: null. */
  asTheNeighboursAllow<Result>(what: string, work: () => Promise<Result>): Promise<Result | null>;
  /** Notifies workflows, some at a time; a hint that fails is repeated by the next pass. Nobody is notified in a dry run. */
  notify<Item>(items: readonly Item[], hint: (item: Item) => Promise<void>): Promise<void>;
  finish(): SweepReport;
}

export const openPass = (deps: SweepDeps, { db, kind, isDryRun }: Pick<Pass, 'db' | 'kind' | 'isDryRun'>): Pass => {
  const { pool, log, limits } = deps;
  const counts: SweepReport['counts'] = {};
  const items: SweepItem[] = [];

  const pass: Pass = {
    deps,
    db,
    kind,
    isDryRun,
    add(item) {
      pass.count(item.finding, 1);
      items.push({ detail: '', ...item });
    },
    count(finding, n) {
      if (n > 0) counts[finding] = (counts[finding] ?? 0) + n;
    },
    bound(what, rows, { max = limits.sweepBatchRows, isSettledByPass = true } = {}) {
      const finding = isSettledByPass ? 'left_for_next_pass' : 'more_than_a_pass_sees';
      if (rows.length >= max) pass.add({ finding, subject: what, detail: `${max} or more` });
      return rows;
    },
    async together(work) {
      return isDryRun ? await work(db) : await withTransaction(pool, work);
    },
    async asTheNeighboursAllow(what, work) {
      try {
        return isDryRun ? await withSavepoint(db, work) : await work();
      } catch (error) {
        if (!isRefusedByTable(error)) throw error;
        log.warn("A part of the sweep is left undone: the neighbours' table refuses it (docs/operators.md has the grants)", {
          what,
          error,
        });
        return null;
      }
    },
    async notify(targets, hint) {
      if (isDryRun) return;
      await atOnce(targets, limits.hintsAtOnce, async (item) => {
        await hint(item).catch((error: unknown) => log.warn('A workflow could not be told, the next pass tries again', { item, error }));
      });
    },
    finish: () => ({ kind, isDryRun, counts, items: worthReading(items) }),
  };
  return pass;
};

/** A workflow's result and a row: enough for a person to read. */
const itemsMax = 100;

/** Fifty dead ports must not crowd out what was done about them, nor a hundred of anything the one word about something else. */
const worthReading = (items: readonly SweepItem[]): SweepItem[] => {
  const sorted = items.toSorted(byWeight);
  // Of each finding the first, then as many of the rest as there is room for.
  const kept = new Set(new Map(sorted.toReversed().map((item) => [item.finding, item])).values());
  for (const item of sorted) if (kept.size < itemsMax) kept.add(item);
  return sorted.filter((item) => kept.has(item));
};
const byWeight = (a: SweepItem, b: SweepItem): number =>
  weights.indexOf(sweepFindings[a.finding].weight) - weights.indexOf(sweepFindings[b.finding].weight);
const weights: readonly FindingWeight[] = ['alarm', 'repair', 'notice'];
