// Hooks of the project, as Kamal starts them (kamal §7): on this machine, with all secrets in their environment, with an input that nobody writes to and
// nobody closes, and shown at their end, if they fail.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { KamalError } from './misbehaviour.mjs';

export async function runHook({ world, config, output }, name) {
  const file = path.join(config.raw.hooks_path ?? '.kamal/hooks', name);
  if (!existsSync(path.resolve(config.cwd, file))) return;
  output.info(`[${randomBytes(4).toString('hex')}] Running /usr/bin/env ${file} on localhost`);
  const env = { ...world.env, ...readSecrets(config), KAMAL_DESTINATION: config.destination, KAMAL_VERSION: config.version };
  const child = spawn('/usr/bin/env', [file], { cwd: config.cwd, env, stdio: ['pipe', 'pipe', 'pipe'], signal: world.ended });
  const said = { stdout: '', stderr: '' };
  for (const stream of Object.keys(said)) child[stream].on('data', (chunk) => (said[stream] += chunk));
  const code = await world.wait(
    new Promise((resolve) => {
      child.once('close', resolve);
      // It was ended with its command.
      child.once('error', () => resolve(null));
    }),
  );
  if (code === 0) return;
  const text = (what) => what.trim() || 'Nothing written';
  throw new KamalError(
    'Kamal::Cli::HookError',
    `Hook \`${name}\` failed:\n${file} exit status: ${(code ?? 1) * 256}\n${file} stdout: ${text(said.stdout)}\n${file} stderr: ${text(said.stderr)}\n`,
  );
}

function readSecrets({ cwd, destination }) {
  const files = ['secrets-common', `secrets.${destination}`].map((name) => path.resolve(cwd, '.kamal', name)).filter(existsSync);
  return Object.fromEntries(
    files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^(\w+)='([^']*)'$/gm)].map(([, name, value]) => [name, value])),
  );
}
