import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { createTestProject, type TestProject } from './kamal-project';

/** A project of which the stand-in plays Kamal, as far as that goes without hosts. */
export const createStandInProject = (): { theirs: TestProject; bin: string; timesRun(command: string): number } => {
  const theirs = createTestProject();
  const dir = path.join(theirs.dir, 'stand-in');
  mkdirSync(dir);
  const bin = path.join(dir, 'kamal');
  const program = path.join(projectRoot(), 'dev/kamal/stand-in.mjs');
  writeFileSync(bin, `#!/bin/sh\nKAMAL_STAND_IN_DIR='${dir}' exec '${process.execPath}' '${program}' "$@"\n`, { mode: 0o755 });
  return {
    theirs,
    bin,
    timesRun: (command) =>
      readFileSync(path.join(dir, 'steps.ndjson'), 'utf8')
        .split('\n')
        .filter((line) => line.includes(`"command":["${command}"]`) && line.includes('"step":"start"')).length,
  };
};
