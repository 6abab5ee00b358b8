import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { until } from '../support/until';

const log = path.join(projectRoot(), '.yardmaster/build/src/log.js');

/** Writes a line every few milliseconds, and says how many by another way. */
const program = `
const log = require(${JSON.stringify(log)}).createLog({ level: 'info', process: 'test' });
let lines = 0;
setInterval(() => { log.info('a line'); process.send(++lines); }, 5);
process.once('disconnect', () => process.exit());`;

test('a process goes on when whoever reads its log is gone', async () => {
  if (!existsSync(log)) throw new Error(`${log} is missing: npm test compiles it first, as does npx tsc -p tsconfig.dev.json`);
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
  const { stdout } = child;
  if (stdout === null) throw new Error('no pipe to its output');
  let lines = 0;
  child.on('message', (count) => void (lines = Number(count)));
  try {
    await once(stdout, 'data');
    const before = lines;
    stdout.destroy();
    await until(async () => await Promise.resolve(child.exitCode !== null || lines > before + 50), { what: 'it wrote on, or ended' });
    expect(child.exitCode).toBeNull();
  } finally {
    child.kill('SIGKILL');
  }
});
