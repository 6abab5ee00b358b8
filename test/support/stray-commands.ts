import { readdirSync, readFileSync } from 'node:fs';

/** One process of a supervisor's group, or the supervisor itself. */
export interface StrayCommand {
  pid: number;
  commandLine: string;
}

/** Whatever carries the mark of a command of ours and has no living deployer above it: nobody would end it any more. */
export const listStrayCommands = (stateDir: string): StrayCommand[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    // One that ends while it is looked at has no parent either.
    .filter((pid) => isMarked(pid, stateDir) && !hasOwner(pid) && isMarked(pid, stateDir))
    .map((pid) => ({ pid, commandLine: commandLineOf(pid) }));

const isMarked = (pid: number, stateDir: string): boolean => read(pid, 'environ').includes(`YARDMASTER_GROUP=${stateDir}`);

/** The parent of a process, or null when it is gone. */
export const parentOf = (pid: number): number | null => {
  const stat = read(pid, 'stat');
  // The name of the program stands in brackets and may hold anything.
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  return Number.isInteger(parent) ? parent : null;
};

export const commandLineOf = (pid: number): string => read(pid, 'cmdline').replaceAll('\0', ' ').trim();

const hasOwner = (pid: number): boolean => {
  for (let above = parentOf(pid); above !== null && above > 1; above = parentOf(above))
    if (commandLineOf(above).includes('workers/deployer.js')) return true;
  return false;
};

const read = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
};
