import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { findJob, type Job } from '../../src/db/jobs/jobs';
import { projectRoot } from '../../src/project-root';
import { startControlPlane, type ControlPlane } from '../support/control-plane';
import { typeCurlLine } from '../support/curl-line';
import { withDatabase } from '../support/database';
import { call } from '../support/gateway';
import { startScriptedDeployer, type ScriptedDeployer } from '../support/scripted-deployer';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';
import { makeGate } from '../support/gate';

const documents = [
  'README.md',
  ...readdirSync(path.join(projectRoot(), 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
];

/** Every command that begins with curl in a block for a shell, whichever document it is in; one may go over several lines inside of its quotes. */
const curlLines = (): string[] =>
  documents
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => [...readFileSync(path.join(projectRoot(), name), 'utf8').matchAll(/```sh\n([^]*?)```/g)])
    .flatMap(([, block = '']) => block.match(/^curl (?:'[^']*'|"[^"]*"|[^\n'"])*/gm) ?? []);

interface Scenario {
  /** What the line must have in its environment. */
  prepare?: () => Promise<Record<string, string>>;
  statuses: readonly number[];
  check?: (body: string) => Promise<void> | void;
}

describe('the curl lines of the documents', () => {
  const database = withDatabase();
  const temporal = withTemporal();
  const stopping: (() => Promise<unknown>)[] = [];
  let plane: ControlPlane;
  let deployer: ScriptedDeployer;

  beforeAll(async () => {
    plane = await startControlPlane({
      databaseUrl: database.databaseUrl,
      temporal,
      dir: path.join(projectRoot(), '.yardmaster/logs', temporal.namespace),
      hosts: 2,
      orchestrators: 1,
    });
    stopping.push(plane.stop);
    deployer = await startScriptedDeployer({ pool: database.pool, address: temporal.address, namespace: temporal.namespace });
    stopping.push(async () => await deployer.stop());
  }, 120_000);

  beforeEach(async () => await database.pool.query('delete from yardmaster.host_hold'));

  afterAll(async () => {
    for (const end of stopping.splice(0).toReversed()) await end();
  }, 120_000);

  test.each([...new Set(curlLines())])(
    '%s',
    async (line) => {
      const scenario = scenarios.find(([pattern]) => pattern.test(line))?.[1];
      if (scenario === undefined) throw new Error('A document has a line that no scenario of this test covers');
      const { status, body } = await type(line, (await scenario.prepare?.()) ?? {});
      // The body says why not.
      expect({ isAsExpected: scenario.statuses.includes(status), body }).toEqual({ isAsExpected: true, body });
      await scenario.check?.(body);
    },
    120_000,
  );

  test('are found in the README and beside it', () => {
    expect(curlLines().length).toBeGreaterThan(25);
    expect(curlLines().filter((line) => line.includes('$GATEWAY')).length).toBeGreaterThan(2);
  });

  test('the processes behind them say on their metrics ports that they are ready, and how old the last pass is', async () => {
    for (const { readLog } of [plane.gateway, ...plane.orchestrators]) {
      const [, port] =
        /"message":"Metrics are served","port":(\d+)|"port":(\d+)[^\n]*"message":"Metrics are served"/
          .exec(await readLog())
          ?.filter(Boolean) ?? [];
      const ready = await call(`http://127.0.0.1:${port}/readyz`);
      expect(ready).toMatchObject({ status: 200, body: { status: 'ready', checks: { postgres: 'ok', temporal: 'ok' } } });
      expect(ready.body.lastSweepAgeSeconds).toBeLessThan(600);
      expect((await call(`http://127.0.0.1:${port}/metrics`)).text).toMatch(/yardmaster_last_sweep_age_seconds\{process="\w+"\} \d/);
    }
  });

  /** As a person at a shell, who has put his own address and key into the line. */
  const type = async (line: string, env: Record<string, string>): Promise<{ status: number; body: string }> => {
    const own = line.replaceAll('http://127.0.0.1:3080', plane.gatewayUrl).replaceAll('demo-operator-key', plane.operatorKey);
    return await typeCurlLine(own, {
      GATEWAY: plane.gatewayUrl,
      KEY: plane.operatorKey,
      DEPLOY_KEY: plane.deployKey,
      WORKER: 'worker-1',
      ...env,
    });
  };

  const jobThatIs = async (target: string, state: Job['state']): Promise<{ JOB: string }> => {
    const { jobId } = await plane.submit(`https://sim.test${target}`);
    await until(async () => (await findJob(database.pool, jobId))?.state === state, { what: `the job is ${state}`, timeoutMs: 60_000 });
    return { JOB: jobId };
  };
  const uncertainJob = async () => await jobThatIs('/fails-after-form?code=timeout&ms=50', 'uncertain');

  /** Waits for an approval unless it is told to go on; its log has a line of ours by then. */
  const deploy = async (): Promise<{ DEPLOY: string }> => {
    await endDeploys();
    deployer.hold();
    const json = { destination: 'staging', version: 'staging', strategy: { needsApproval: true } };
    const { body } = await call(`${plane.gatewayUrl}/v1/deploys`, { key: plane.deployKey, json });
    const url = `${plane.gatewayUrl}/v1/deploys/${String(body.deployId)}`;
    await until(async () => (await call(url, { key: plane.deployKey })).body.phase === 'approval', {
      what: 'it waits for an approval',
      timeoutMs: 60_000,
    });
    return { DEPLOY: String(body.deployId) };
  };
  const endDeploys = async (): Promise<void> => {
    deployer.finish();
    await until(
      async () => {
        const { rows } = await database.pool.query<{ deploy_id: string }>('select deploy_id from yardmaster.deploy where ended_at is null');
        for (const { deploy_id: id } of rows) await call(`${plane.gatewayUrl}/v1/deploys/${id}/cancel`, { key: plane.deployKey, json: {} });
        return rows.length === 0;
      },
      { what: 'no deploy is under way', timeoutMs: 60_000 },
    );
  };
  const readDestinations = async (): Promise<Record<string, string>> => {
    await call(`${plane.gatewayUrl}/v1/destinations?refresh=true`, { key: plane.deployKey });
    return {};
  };

  const [ok, done] = [{ statuses: [200] }, [200, 202]];
  const scenarios: [RegExp, Scenario][] = [
    [/POST \S*\/v1\/jobs /, { statuses: [201] }],
    [/\/v1\/jobs\?needsAttention=true/, ok],
    [/POST \S*\/v1\/pause /, ok],
    [/POST \S*\/v1\/unpause"? /, { ...ok, check: (body) => expect(JSON.parse(body)).toMatchObject({ isPaused: false }) }],
    [/POST \S*\/v1\/fleet\/hosts\/\S*\/hold /, ok],
    [/POST \S*\/v1\/fleet\/hosts\/\S*\/release"? /, { ...ok, check: (body) => expect(JSON.parse(body)).toMatchObject({ hold: null }) }],
    [/POST \S*\/v1\/workers\/\S*\/drain"? /, { statuses: done }],
    [/POST \S*\/v1\/workers\/\S*\/release"? /, ok],
    [/POST \S*\/v1\/fleet\/sweep /, { statuses: done }],
    [/curl \S*\/v1\/fleet"? /, ok],
    [/\/cancel\?wait=10"/, { ...ok, prepare: async () => await jobThatIs(makeGate().form, 'running') }],
    [/\/v1\/jobs\/\S*\/resume"/, { statuses: done, prepare: async () => await jobThatIs('/blocker?type=captcha&ms=100', 'waiting_human') }],
    [/\/v1\/jobs\/\S*\/resolve"/, { statuses: done, prepare: uncertainJob }],
    [/\/v1\/jobs\/\S*\/retry"/, { statuses: done, prepare: uncertainJob }],
    [/\/v1\/jobs\/\S*\/commands"/, { ...ok, prepare: uncertainJob }],
    [/\/v1\/audit\?subject=\$JOB"/, { ...ok, prepare: uncertainJob }],
    [/\/v1\/destinations\?refresh=true"/, ok],
    [/POST \S*\/v1\/deploys /, { statuses: [201], prepare: async () => await endDeploys().then(() => ({})) }],
    [
      /\/v1\/deploys\/\S*\/stream"/,
      {
        ...ok,
        async prepare() {
          const env = await deploy();
          await endDeploys();
          return env;
        },
        check: (body) => expect(body).toContain('event: end'),
      },
    ],
    [/\/v1\/deploys\/\S*\/(approve|cancel)"/, { statuses: [202], prepare: deploy }],
    [/\/v1\/deploys\/\S*\/log"/, { ...ok, prepare: deploy }],
    [/\/v1\/destinations\/staging\/lock\/break /, { ...ok, prepare: readDestinations }],
  ];
});
