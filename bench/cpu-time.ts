import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that each part has used, in ms. Unlike a throughput it hardly changes with what else the machine does. */
export interface CpuTime {
  node: number;
  temporal: number;
  postgres: number;
}

/** Linux counts in ticks of 10 ms on every architecture that Node runs on. */
const tickMs = 10;

/** Null where there is no /proc. */
export const readCpuTime = (pids: { temporal: number; postgres: number | null }): CpuTime | null => {
  try {
    const { user, system } = process.cpuUsage();
    return {
      node: (user + system) / 1000,
      temporal: ticksOf(pids.temporal).used * tickMs,
      postgres: pids.postgres === null ? 0 : familyTicks(pids.postgres) * tickMs,
    };
  } catch {
    return null;
  }
};

/** The postmaster, its backends, and those that have ended, which count for the postmaster. */
const familyTicks = (postmaster: number): number => {
  const own = ticksOf(postmaster);
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return ticksOf(Number(name));
      } catch {
        // It ended while we looked.
        return null;
      }
    })
    .filter((process) => process?.parent === postmaster);
  return own.used + own.usedByEnded + children.reduce((sum, child) => sum + (child?.used ?? 0), 0);
};

const ticksOf = (pid: number): { parent: number; used: number; usedByEnded: number } => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; behind it come state, parent, … (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const numberAt = (index: number): number => Number(fields[index] ?? 0);
  return { parent: numberAt(1), used: numberAt(11) + numberAt(12), usedByEnded: numberAt(13) + numberAt(14) };
};
