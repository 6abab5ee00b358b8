import { isDeepStrictEqual } from 'node:util';
import type { DeployView } from '../../src/contracts/deploy';
import type { StrayCommand } from './stray-commands';

/** What is there when a deploy has ended, from those who know: the hosts, the lock, /proc, the log's rows and a reader. */
export interface DeployEvidence {
  /** As its row says; null when it did not end in time. */
  deploy: DeployView | null;
  versionBefore: string;
  /** What each host runs, by its containers; `mixed` where its roles differ. */
  versions: (string | null)[];
  lock: string | null;
  holds: string[];
  /** Still there 10 s after the kill. */
  strays: StrayCommand[];
  /** Private directories, which hold secrets. */
  leftDirectories: string[];
  stored: { seq: number; line: string }[];
  read: { lines: { seq: number; line: string }[]; gaps: unknown[]; outcome: string | null };
}

/** Promises 6, 7 and 8 of a deploy that something was killed under; `broken` is no end of a fault that passes. */
export const findDeployFaults = (evidence: DeployEvidence): string[] => {
  const { deploy, versions, lock, holds, strays, leftDirectories, stored, read } = evidence;
  if (deploy?.outcome == null) return [`it has not ended: ${deploy?.phase ?? 'no row'}, ${deploy?.detail ?? ''}`];
  const { outcome } = deploy;
  const named = outcome === 'succeeded' ? deploy.resolvedVersion : evidence.versionBefore;
  const shown = read.lines.map(({ seq, line }) => ({ seq, line }));
  const faults: [boolean, string][] = [
    [outcome === 'broken', `it ended broken: ${deploy.detail}`],
    [versions.some((version) => version !== named), `${outcome} names ${named}, and the hosts run ${versions.join(', ')}`],
    [
      deploy.hosts.some(({ versionNow }) => versionNow !== named),
      `its row says that the hosts run ${deploy.hosts.map(({ versionNow }) => versionNow).join(', ')}, not ${named}`,
    ],
    [lock !== null, `Kamal's lock is left: ${lock}`],
    [holds.length > 0, `${holds.join(', ')} are still held`],
    [strays.length > 0, `nobody owns ${strays.map(({ pid, commandLine }) => `${pid} (${commandLine})`).join(', ')}`],
    [leftDirectories.length > 0, `secrets are left in ${leftDirectories.join(', ')}`],
    [read.outcome !== outcome, `the reader was told ${read.outcome}, not ${outcome}`],
    [read.gaps.length > 0, `the reader was told of ${read.gaps.length} gaps`],
    [stored.some(({ seq }, index) => seq !== index + 1), 'the numbers of the stored lines are not 1, 2, 3, …'],
    [!isDeepStrictEqual(shown, stored), `the reader has ${shown.length} lines that are not the ${stored.length} stored ones`],
  ];
  return faults.filter(([isFault]) => isFault).map(([, what]) => what);
};
