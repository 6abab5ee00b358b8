import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';
import { withKamalFixture } from '../support/kamal-fixture';
import { until } from '../support/until';

const made = withKamalFixture({ hosts: 1, timeScale: 0.1 });

test('a deployed version is a GH worker: it answers its ports, registers under its name each time, and runs the job it is given', async () => {
  const { testbed, pool } = made;
  const [host] = testbed.hosts;
  const ip = host!.ip;
  const { api, worker } = testbed.urlsOf(ip);
  const ask = async (url: string): Promise<unknown> => await (await fetch(url)).json();
  const registered = async () =>
    (
      await pool.query(`select worker_id, status, ec2_ip, last_heartbeat from gh_worker_registry where worker_id = $1`, [
        testbed.workerIdOf(ip),
      ])
    ).rows;

  expect(await testbed.kamal('deploy', '-P', '-d', 'staging', '--version', 'v1')).toMatchObject({ code: 0 });
  await until(async () => await ask(`${worker}/worker/status`), { what: 'the worker answers', timeoutMs: 30_000 });
  expect(await ask(`${api}/health`)).toMatchObject({ status: 'ok' });
  expect(await ask(`${api}/health/version`)).toMatchObject({ image_tag: 'v1' });
  expect(await registered()).toMatchObject([{ status: 'active', ec2_ip: ip }]);

  const rowId = await insertRow(testbed.workerIdOf(ip), 'quick?ms=200');
  const statusOf = async (): Promise<string | undefined> =>
    (await pool.query<{ status: string }>('select status from gh_automation_jobs where id = $1', [rowId])).rows[0]?.status;
  await until(async () => (await statusOf()) === 'completed', { what: 'the job is done', timeoutMs: 60_000 });
  expect((await testbed.submissions()).filter((entry) => entry.rowId === rowId && entry.event === 'submitted')).toHaveLength(1);

  expect(await testbed.kamal('app', 'stop', '-d', 'staging')).toMatchObject({ code: 0 });
  expect(await registered()).toMatchObject([{ status: 'offline' }]);
  await expect(fetch(`${worker}/worker/status`)).rejects.toThrow('fetch failed');

  expect(await testbed.kamal('deploy', '-P', '-d', 'staging', '--version', 'v2')).toMatchObject({ code: 0 });
  await until(async () => await ask(`${worker}/worker/status`), { what: 'the worker answers again', timeoutMs: 30_000 });
  expect(await ask(`${api}/health/version`)).toMatchObject({ image_tag: 'v2' });
  expect(await registered()).toMatchObject([{ status: 'active', ec2_ip: ip }]);
});

test('a moving tag has the digest of the version that it means', async () => {
  const { testbed } = made;
  await testbed.tagMoving('staging', 'v2');
  expect(await testbed.registry.digestOf('staging')).toBe(await testbed.registry.digestOf('v2'));
  expect(await testbed.registry.digestOf('v1')).not.toBe(await testbed.registry.digestOf('v2'));
  expect(await testbed.registry.digestOf('never')).toBeNull();
});

test('nothing is left of a test bed whose owner was killed: no container, no server, no mount, no file', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'testbed-'));
  const program = `
    const { startKamalTestbed } = require(${JSON.stringify(path.join(projectRoot(), '.yardmaster/build/dev/kamal/testbed/kamal-testbed.js'))});
    startKamalTestbed({ dir: ${JSON.stringify(dir)}, hosts: 1, databaseUrl: 'postgres://127.0.0.1:1/none' }).then(async (testbed) => {
      await testbed.push('mute', { broken: 'mute' });
      const { code } = await testbed.kamal('deploy', '-P', '-d', 'staging', '--version', 'mute');
      console.log('deployed', code, JSON.stringify(await testbed.hosts[0].runningVersions()));
    });`;
  const owner = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  owner.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  await until(() => output.includes('deployed'), { what: 'the test bed of the owner runs a container', timeoutMs: 180_000 });
  expect(output).toContain('deployed 0 {"web":"mute","workers":"mute"}');
  expect(listProcessesOf(dir).length).toBeGreaterThan(3);
  owner.kill('SIGKILL');
  await once(owner, 'close');
  await until(() => !existsSync(dir) && listProcessesOf(dir).length === 0, { what: 'everything is gone', timeoutMs: 90_000 });
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(dir);
});

/** Containers and remote commands carry the mark, servers have the directory among their arguments. */
const listProcessesOf = (dir: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        (readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`KAMAL_TESTBED=${dir}`) ||
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${dir}/hosts`))
      );
    } catch {
      // It has ended.
      return false;
    }
  });

const insertRow = async (workerId: string, url: string): Promise<string> => {
  const { rows } = await made.pool.query<{ id: string }>(
    `insert into gh_automation_jobs (user_id, job_type, target_url, task_description, worker_affinity, target_worker_id, timeout_seconds)
     values ($1, 'apply', $2, 'Apply', 'strict', $3, 1200)
     returning id`,
    [randomUUID(), `https://sim.test/${url}`, workerId],
  );
  return rows[0]!.id;
};
