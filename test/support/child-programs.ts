import { readFileSync } from 'node:fs';

/** Pieces of programs for `node -e` whose first argument is the file that each process writes its pid into. */
export const remember = 'require("node:fs").appendFileSync(process.argv[1], process.pid + "\\n");';
export const stay = 'setInterval(() => {}, 1000);';
export const ignore = (...signals: string[]): string => signals.map((signal) => `process.on("${signal}", () => {});`).join(' ');

/** A program starts another one that stays and ignores every graceful signal, and goes on when that has written its pid. */
export const spawnOther = (stdio: 'ignore' | 'inherit', detached: boolean): string =>
  `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(`${ignore('SIGINT', 'SIGTERM')} ${remember} ${stay}`)}, process.argv[1]], { stdio: "${stdio}", detached: ${detached} });
   while (!require("node:fs").existsSync(process.argv[1])) {}`;

export const readPids = (pidFile: string): number[] => readOrEmpty(pidFile).split('\n').filter(Boolean).map(Number);

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch {
    // ESRCH.
    return false;
  }
  // A killed process whose new parent has not collected it is still listed.
  return !/^\d+ \(.*\) Z/.test(readOrEmpty(`/proc/${pid}/stat`));
};

/** For the end of a test, whatever it said: kills what it left, and says that it left it. */
export const killLeftPrograms = (pidFile: string): void => {
  const left = readPids(pidFile).filter(isAlive);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  if (left.length > 0) throw new Error(`${left.length} processes of the test were left`);
};

const readOrEmpty = (file: string): string => {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // Nobody has written yet, or this system has no /proc.
    return '';
  }
};
