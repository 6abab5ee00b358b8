import type { Endpoint } from '../../src/gateway/endpoint';
import { endpointNames, endpoints, type EndpointName } from '../../src/gateway/endpoints';
import { startApiWorld, type ApiWorld } from '../support/api-world';
import { typeCurlLine } from '../support/curl-line';
import { withDatabase } from '../support/database';
import { call, testKeys } from '../support/gateway';
import { insertJob } from '../support/job-rows';
import { withTemporal } from '../support/temporal';
import { until } from '../support/until';

const database = withDatabase();
const temporal = withTemporal();
let world: ApiWorld;
let page: string;

beforeAll(async () => {
  world = await startApiWorld({ pool: database.pool, databaseUrl: database.databaseUrl, temporal, hasEveryVersion: true });
  page = (await call(`${world.gateway.url}/docs`)).text;
  await call(`${world.gateway.url}/v1/destinations?refresh=true`, { key: testKeys.deployer });
});
// One deploy of a destination at a time.
beforeEach(async () => {
  await until(async () => (await database.pool.query('select from yardmaster.deploy where ended_at is null')).rowCount === 0, {
    what: 'no deploy is under way',
  });
});
afterAll(async () => await world.stop());

/** What the page shows under an endpoint, as a reader's browser hands it to his clipboard. */
const linesOf = (name: EndpointName): string[] => {
  const [, section = ''] = new RegExp(`<section id="${name}">([^]*?)</section>`).exec(page) ?? [];
  return [...section.matchAll(/<pre>(curl [^]*?)<\/pre>/g)].map(([, line = '']) =>
    line
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&')
      .replaceAll('http://gateway.test', world.gateway.url),
  );
};

const withExamples = endpointNames.flatMap((name) => {
  const { bodyExamples = {} }: Endpoint = endpoints[name];
  return Object.keys(bodyExamples).map((title, index) => ({ name, title, index }));
});

const unknown = '6f1d2c3b-4a59-4e87-9c0d-1b2a3c4d5e6f';
const done = [200, 201, 202];

/** Where the line is right, and what it is sent to is in another state, is not there, or is there already. */
const otherwise: Partial<Record<EndpointName, readonly number[]>> = {
  deregisterWorkers: [404],
  approveDeploy: [409],
  rejectDeploy: [409],
  cancelDeploy: [409],
  resumeJob: [202, 409],
  resumeApplication: [202, 423],
  submitApplication: [201, 409],
};

it.each(withExamples)('the line of /docs for $name, $title, does what it says when it is typed', async ({ name, index }) => {
  const lines = linesOf(name);
  expect(lines.length).toBeGreaterThan(index);
  const isOver = name === 'retryJob' || name === 'retryApplication' || name === 'resolveJob';
  const { jobId } = await insertJob(database.pool, isOver ? { state: 'uncertain', submission: 'maybe' } : {});
  const { roles }: Endpoint = endpoints[name];
  const { status, body } = await typeCurlLine(lines[index] ?? '', {
    KEY: roles !== 'public' && roles.includes('operator') ? testKeys.operator : testKeys.deployer,
    GH_SERVICE_SECRET: testKeys.service,
    jobId,
    attemptId: unknown,
    workerId: world.workerId,
    serverId: 'yardmaster',
    host: '127.0.3.1',
    deployId: world.deployId,
    destination: 'staging',
  });
  // The body says why not.
  expect({ isAsExpected: (otherwise[name] ?? done).includes(status), status, body }).toEqual({ isAsExpected: true, status, body });
});
