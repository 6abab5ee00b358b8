import { statfs } from 'node:fs/promises';
import os from 'node:os';

/** How busy the machine is that this process runs on, in the words of GH and ATM (atm §4.1): numbers, never null. */
export interface MachineFigures {
  cpu: { usagePercent: number; cores: number };
  memory: { usedMb: number; totalMb: number; usagePercent: number };
  disk: { usedGb: number; totalGb: number; usagePercent: number };
}

const mb = 2 ** 20;
const gb = 2 ** 30;

/** CPU is the load of the last minute over the cores, at most 100, as ATM reckons it; the disk is the one that holds the working directory. */
export const readMachine = async (): Promise<MachineFigures> => {
  const cores = os.availableParallelism();
  const used = os.totalmem() - os.freemem();
  const disk = await statfs(process.cwd()).then(
    ({ bsize, blocks, bavail, bfree }) => ({ used: (blocks - bfree) * bsize, total: (blocks - bfree + bavail) * bsize }),
    // A file system that says nothing is no reason to say nothing of the rest.
    () => ({ used: 0, total: 0 }),
  );
  return {
    cpu: { usagePercent: Math.min(100, percent(os.loadavg()[0] ?? 0, cores)), cores },
    memory: { usedMb: Math.round(used / mb), totalMb: Math.round(os.totalmem() / mb), usagePercent: percent(used, os.totalmem()) },
    disk: { usedGb: tenths(disk.used / gb), totalGb: tenths(disk.total / gb), usagePercent: percent(disk.used, disk.total) },
  };
};

const tenths = (value: number): number => Math.round(value * 10) / 10;
const percent = (part: number, whole: number): number => (whole === 0 ? 0 : tenths((part / whole) * 100));
