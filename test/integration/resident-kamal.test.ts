import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamedEnd } from '../../src/domain/child-end';
import { streamResident } from '../../dev/kamal/stand-in/resident';
import { startStandInTestbed, type Misbehaviour, type StandInTestbed } from '../../dev/kamal/stand-in/stand-in-testbed';
import type { StreamOrder } from '../../src/process/stream-child';
import { endOf, kamalSequence, runStep } from '../support/kamal-sequence';
import { until } from '../support/until';

// The stand-in inside of this process may differ from its process in its speed alone: both forms have to meet the same expectations.

const deploy = ['deploy', '-P', '-d', 'staging', '--version', 'v2'];

describe('a resident stand-in', () => {
  const testbed = withStandIn('resident');
  beforeAll(async () => {
    await testbed().push('bad', { broken: 'exits' });
    await testbed().push('wrong', { wrongLabel: true });
  });

  test.each(kamalSequence)('$title', async (step) => {
    expect(await runStep(testbed(), step)).toEqual(endOf(step));
  });
});

interface Story {
  what: string;
  orders: Misbehaviour[];
  options?: Partial<StreamOrder>;
  /** It is told to stop when it has come there. */
  stopAt?: Misbehaviour['at'];
  end: StreamedEnd;
  says?: RegExp;
  neverPrints?: RegExp;
  /** What is left: of its lock, and on the first host. */
  isLocked: boolean;
  running: string | null;
}

const untouched = { isLocked: false, running: null };
const begun = { isLocked: true, running: 'v2' };

const stories: Story[] = [
  {
    what: 'runs to its end',
    orders: [],
    end: { kind: 'exited', code: 0 },
    says: /Releasing the deploy lock/,
    isLocked: false,
    running: 'v2',
  },
  {
    what: 'fails by an error of its own, and drops the lock',
    orders: [{ on: 'deploy', at: 'prune', do: { error: { message: 'no space left' } } }],
    end: { kind: 'exited', code: 1 },
    says: /Releasing the deploy lock[^]*ERROR \(SSHKit::Command::Failed\): no space left/,
    isLocked: false,
    running: 'v2',
  },
  {
    what: 'is killed, with what it has not written yet, and leaves the lock',
    orders: [{ on: 'deploy', at: 'booted', do: { killSelf: 'SIGKILL' } }],
    end: { kind: 'signalled', signal: 'SIGKILL' },
    neverPrints: /Start container/,
    ...begun,
  },
  {
    what: 'ends by a polite signal, writes what it has, and leaves the lock',
    orders: [{ on: 'deploy', at: 'booted', do: { killSelf: 'SIGTERM' } }],
    end: { kind: 'signalled', signal: 'SIGTERM' },
    says: /Container is healthy!\n$/,
    ...begun,
  },
  {
    what: 'is stopped in the middle, writes what it has, and leaves the lock and what it has begun',
    orders: [{ on: 'deploy', at: 'booted', do: { sleepMs: 60_000 } }],
    stopAt: 'booted',
    end: { kind: 'stopped' },
    says: /Container is healthy!\n$/,
    ...begun,
  },
  {
    what: 'takes too long',
    orders: [{ on: 'deploy', do: { sleepMs: 60_000 } }],
    options: { timeoutMs: 2_000 },
    end: { kind: 'timed_out' },
    ...untouched,
  },
  {
    what: 'asks and waits for ever',
    orders: [{ on: 'deploy', do: { prompt: 'password: ' } }],
    options: { silentMs: 2_000 },
    end: { kind: 'silent' },
    ...untouched,
  },
  {
    what: 'has its output refused',
    orders: [{ on: 'deploy', do: { print: ['no'], silentMs: 60_000 } }],
    options: { onChunk: async () => await Promise.reject(new Error('full')) },
    end: { kind: 'stopped' },
    ...untouched,
  },
  {
    what: 'floods a slow reader, and loses nothing',
    orders: [{ on: 'deploy', do: { floodLines: 20_000, longLineBytes: 1_000_000, error: { message: 'enough' } } }],
    options: { onChunk: async () => await delay(1) },
    end: { kind: 'exited', code: 1 },
    says: /flood line 1\n[^]*flood line 20000\nlong x{1000000}\n.*enough/,
    ...untouched,
  },
  {
    what: 'cuts characters, and overwrites a line',
    orders: [{ on: 'deploy', do: { cutUtf8: true, progress: true, unfinishedLine: 'no end', killSelf: 'SIGINT' } }],
    end: { kind: 'signalled', signal: 'SIGINT' },
    says: /^größer – 部署 ✓\n\rpulling 0 %\r[^\n]*\rpulling 100 %\nno end$/,
    ...untouched,
  },
];

describe.each(['process', 'resident'] as const)('a %s', (form) => {
  const testbed = withStandIn(form);
  beforeEach(async () => await reset(testbed()));

  test.each(stories)('$what', async ({ orders, options, stopAt, end, says = /^/, neverPrints = /^\b$/, isLocked, running }) => {
    await testbed().misbehave(...orders);
    const asked = new AbortController();
    const before = (await testbed().steps()).length;
    const { chunks, ended } = start(testbed(), { ...options, signal: asked.signal });
    if (stopAt !== undefined) {
      await until(async () => (await testbed().steps()).slice(before).some(({ step }) => step === stopAt), { what: `it is at ${stopAt}` });
      asked.abort();
    }
    expect(await ended).toEqual(end);
    const output = Buffer.concat(chunks).toString('utf8');
    // Not by `toMatch`, which would print megabytes.
    expect(says.test(output) && !neverPrints.test(output) ? 'as expected' : output.slice(-2_000)).toBe('as expected');
    const host = testbed().hosts[0];
    expect({ isLocked: (await host?.lockHolder('staging')) !== null, running: await host?.runningVersion() }).toEqual({
      isLocked,
      running,
    });
  });
});

describe('a resident that is stopped', () => {
  const testbed = withStandIn('resident');

  test.each([1, 4, 8, 12, 16, 20, 24, 28, 32])('at chunk %i of what it writes does nothing more', async (last) => {
    await reset(testbed());
    const sync = path.join(testbed().configDir, 'sync.rb');
    await writeFile(sync, '$stdout.sync = true\n');
    const asked = new AbortController();
    const onChunk = (): void => (chunks.length === last ? asked.abort() : undefined);
    const { chunks, ended } = start(testbed(), { onChunk, signal: asked.signal, env: { ...testbed().kamalEnv, RUBYOPT: `-r${sync}` } });
    expect(await ended).toEqual({ kind: 'stopped' });
    const readAll = async (): Promise<unknown> => [chunks.length, await readEverything(path.join(testbed().configDir, '..'))];
    const atOnce = await readAll();
    await delay(100);
    expect(await readAll()).toEqual(atOnce);
  });

  test('before it has begun does not begin', async () => {
    const before = (await testbed().steps()).length;
    const { chunks, ended } = start(testbed(), { signal: AbortSignal.abort() });
    expect(await ended).toEqual({ kind: 'stopped' });
    expect({ chunks, steps: (await testbed().steps()).length }).toEqual({ chunks: [], steps: before });
  });

  test.each<Misbehaviour['do']>([{ grandchild: {} }, { ignoreSignals: true }])(
    'cannot be told to do what needs a process: %j',
    async (order) => {
      await expect(testbed().misbehave({ on: 'deploy', do: order })).rejects.toThrow('need real processes');
    },
  );
});

async function reset(testbed: StandInTestbed): Promise<void> {
  await testbed.misbehave();
  await testbed.kamal('lock', 'release', '-d', 'staging');
  await testbed.kamal('app', 'stop', '-d', 'staging');
}

function start(testbed: StandInTestbed, { onChunk, ...options }: Partial<StreamOrder>): { chunks: Buffer[]; ended: Promise<StreamedEnd> } {
  const chunks: Buffer[] = [];
  const ended = testbed.streamChild({
    command: [testbed.kamalBin, ...deploy],
    env: testbed.kamalEnv,
    cwd: testbed.configDir,
    timeoutMs: 60_000,
    killAfterMs: 2_000,
    ...options,
    async onChunk(stream, chunk) {
      chunks.push(chunk);
      await onChunk?.(stream, chunk);
    },
  });
  return { chunks, ended };
}

async function readEverything(dir: string): Promise<[string, string][]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return await Promise.all(files.toSorted().map(async (file): Promise<[string, string]> => [file, await readFile(file, 'latin1')]));
}

function withStandIn(form: 'process' | 'resident'): () => StandInTestbed {
  let testbed: StandInTestbed | undefined;
  beforeAll(async () => {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'resident-'));
    testbed = await startStandInTestbed({ dir, stepMs: 1, streamChild: form === 'resident' ? streamResident : undefined });
    for (const version of ['v1', 'v2']) await testbed.push(version);
  });
  afterAll(async () => await testbed?.stop());
  return () => testbed as StandInTestbed;
}
