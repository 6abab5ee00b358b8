import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';

/** Whatever waits for its file (`untilFile` of a Kamal, or of a form) goes on when the test opens it, and not when a clock says so. */
export interface Gate {
  file: string;
  /** A posting on sim.test whose form stays open until the gate is. */
  form: string;
  open(): void;
}

export const makeGate = (): Gate => {
  const dir = path.join(projectRoot(), '.yardmaster/test/gates');
  const file = path.join(dir, randomUUID());
  return {
    file,
    // GH ends a handler by itself, and the simulated clock runs ten times as fast.
    form: `/quick?${new URLSearchParams({ ms: '50', handlerTimeoutMs: '600000', untilFile: file })}`,
    open() {
      mkdirSync(dir, { recursive: true });
      writeFileSync(file, '');
    },
  };
};
