import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describeEnd } from '../../activities/deploys/deploy-inspect';
import { appVersion } from '../../src/kamal/commands';
import type { OpenOrder } from '../../src/kamal/kamal';
import { createRedact } from '../../src/domain/redact';
import { sensitive } from '../../src/domain/sensitive';
import { findHangingHook } from '../../src/kamal/hooks';
import type { KamalEnd } from '../../src/kamal/run';
import { streamChild } from '../../src/process/stream-child';
import { projectRoot } from '../../src/project-root';
import { openSession, runOptions, type TestProject } from '../support/kamal-project';
import { createStandInProject } from '../support/stand-in-project';
import { until } from '../support/until';

// The stand-in starts hooks as the real one does: with an input that stays open (test/deploys/kamal-real.test.ts).
let theirs: TestProject;
let bin: string;

beforeEach(() => {
  ({ theirs, bin } = createStandInProject());
  theirs.write('config/deploy.staging.yml', 'servers:\n  web:\n    hosts: [127.0.0.1]\n  workers:\n    hosts: [127.0.0.1]\n');
});
afterEach(() => theirs.remove());

const hook = (lines: string, folder = '.kamal/hooks'): void => theirs.write(`${folder}/pre-connect`, `#!/bin/sh\n${lines}\n`, 0o755);
const secret = `p@ss word/4711?&=ü"$x`;

const look = async (
  order: Partial<OpenOrder> = {},
  options: Parameters<typeof runOptions>[0] = {},
): Promise<KamalEnd & { lines: string[] }> => {
  const lines: string[] = [];
  const session = await openSession(theirs.createKamal({ bin }), order);
  const ended = await session.run(appVersion(['127.0.0.1']), runOptions({ onLine: ({ line }) => void lines.push(line), ...options }));
  await session.close();
  return { ...ended, lines };
};

it('a hook that asks meets the end of its input at once, and its question is in the failure', async () => {
  hook('printf "Deploy to production? [y/N] "\nread answer || exit 3\necho "answered $answer"');
  const ended = await look();
  expect(ended.end).toEqual({ kind: 'exited', code: 1 });
  expect(describeEnd(ended)).toContain('Hook `pre-connect` failed');
  expect(describeEnd(ended)).toContain('Deploy to production? [y/N]');
});

it('a hook that hangs is named, with what it had said last', async () => {
  hook('echo one; printf "Password for deploy: "; exec sleep 600');
  // Until there was time enough for three programs to start, where others keep the processors busy.
  let ended = await look({}, { timeoutMs: 4_000 });
  for (let timeoutMs = 8_000; ended.hook === null && timeoutMs <= 64_000; timeoutMs *= 2) ended = await look({}, { timeoutMs });
  expect(ended).toMatchObject({ end: { kind: 'timed_out' }, hook: { name: 'pre-connect' } });
  expect(describeEnd(ended)).toMatch(/^their hook pre-connect did not end and was ended; it had said: [^]*Password for deploy:$/);
});

/** What is known of a hook while it runs; then it is ended. */
const watch = async (lines: string, isThere: (said: string) => boolean): Promise<ReturnType<typeof findHangingHook>> => {
  hook(lines);
  const records = path.join(theirs.dir, 'records');
  const ending = new AbortController();
  const redact = createRedact([sensitive('planted-secret-4711')]);
  const running = streamChild({
    command: [
      process.execPath,
      path.join(projectRoot(), 'src/process/hook-runner.mjs'),
      records,
      path.join(theirs.configDir, '.kamal/hooks/pre-connect'),
    ],
    env: { PATH: process.env.PATH ?? '' },
    timeoutMs: 120_000,
    killAfterMs: 1_000,
    onChunk: () => undefined,
    signal: ending.signal,
  });
  const found = await until(
    () => {
      const seen = findHangingHook(records, redact);
      return seen !== null && isThere(seen.said) ? seen : null;
    },
    { what: 'the hook is at it', timeoutMs: 60_000 },
  );
  ending.abort();
  await running;
  return found;
};

it('a hook is known from its start, also one that says nothing', async () => {
  expect(await watch('exec sleep 600', () => true)).toEqual({ name: 'pre-connect', said: '' });
});

it('a secret in what a hook says while it hangs is hidden', async () => {
  const said = 'S=planted-secret-4711; printf "%s as base64: %s? " "$S" "$(printf %s "$S" | base64)"; exec sleep 600';
  expect((await watch(said, (shown) => shown.endsWith('?')))?.said).toMatch(/^\[redacted\] as base64: \[redacted\](?:Q==)?\?$/);
});

it('of a hook that says much, its last words are known', async () => {
  const said = await watch('yes planted-secret-4711 | head -n 100000; printf "go on? "; exec sleep 600', (shown) =>
    shown.endsWith('go on?'),
  );
  expect(said?.said.length).toBeLessThanOrEqual(300);
  expect(said?.said).not.toContain('planted');
});

it('hooks are not run by a look', async () => {
  const ran = path.join(theirs.dir, 'ran');
  hook(`touch '${ran}'`);
  await look({ skipsHooks: true });
  expect(readdirSync(theirs.dir)).not.toContain('ran');
  await look();
  expect(readdirSync(theirs.dir)).toContain('ran');
});

it('a hook finds what lies beside it, wherever the project has its hooks', async () => {
  const text = 'says hello from beside';
  theirs.write(
    'config/deploy.staging.yml',
    'hooks_path: deploy/hooks\nservers:\n  web:\n    hosts: [127.0.0.1]\n  workers:\n    hosts: [127.0.0.1]\n',
  );
  theirs.write('deploy/hooks/library.sh', `echo "${text}" >&2\nexit 7\n`);
  hook('. "$(dirname "$0")/library.sh"', 'deploy/hooks');
  expect((await look()).error?.message).toContain(text);
});

it('a hook that may not be run says so', async () => {
  theirs.write('.kamal/hooks/pre-connect', '#!/bin/sh\n', 0o644);
  expect((await look()).error?.message).toMatch(/pre-connect exit status: 32256\n[^]*Permission denied/);
});

/** What shells, tools and languages make of a secret; `$S` holds it. */
const spellings: [name: string, command: string][] = [
  ['plain', 'printf "%s\\n" "$S"'],
  ['base64', 'printf %s "$S" | base64'],
  ['base64 in narrow lines', 'printf %s "$S" | base64 -w 8'],
  ['base64 inside of something longer', 'printf "user:%s" "$S" | base64 -w 0'],
  ['base32', 'printf %s "$S" | base32'],
  ['hex', 'printf %s "$S" | od -An -v -tx1'],
  ['hex without spaces', 'printf %s "$S" | od -An -v -tx1 | tr -d " \\n"'],
  ['hex words', 'printf %s "$S" | od -v -x'],
  ['octal', 'printf %s "$S" | od -v -to1'],
  ['url-encoded', `${process.execPath} -e "console.log(encodeURIComponent(process.env.S))"`],
  ['JSON', `${process.execPath} -e "console.log(JSON.stringify({a:process.env.S}))"`],
  ['JSON in JSON', `${process.execPath} -e "console.log(JSON.stringify(JSON.stringify({a:process.env.S})))"`],
  ['HTML', `${process.execPath} -e "console.log(process.env.S.replace(/[^a-z]/g,(c)=>'&#'+c.codePointAt(0)+';'))"`],
  ['a trace of the shell', '(set -x; : "$S") 2>&1'],
  ['one character a write', `${process.execPath} -e "for (const c of process.env.S) require('fs').writeSync(1, c)"`],
  ['wrapped', 'printf %s "$S" | fold -w 5'],
];

it.each(spellings)('a secret in the output of a hook that fails is hidden: %s', async (_name, command) => {
  theirs.secrets.set('DATABASE_URL', secret);
  hook(`S="$DATABASE_URL"; export S\necho before\n${command}\necho\necho after\nexit 1`);
  const { lines, output, error } = await look();
  const shown = [...lines, output, error?.message ?? ''].join('\n');
  expect(shown).toMatch(/before[^]*after/);
  for (const piece of ['p@ss', 'word/4711', 'cEBzcyB3', '7040 7373', '70 40 73 73', '70407373', 'p%40ss', '4711'])
    expect(shown).not.toContain(piece);
});
