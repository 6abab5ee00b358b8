import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Pool } from 'pg';
import { findChromium } from '../../dev/tools/chromium';
import { claimPort } from '../../dev/tools/ports';
import { projectRoot } from '../../src/project-root';
import { withDatabase } from '../support/database';
import { addDeploy, appendLines, endDeploy } from '../support/log-rows';
import { createGatewayProcess, type OwnProcess } from '../support/orchestrator-process';
import { until } from '../support/until';

// A real browser, since what matters here is what its EventSource does by itself: connect again or not, and with which header.
const key = 'a-key-for-this-test-alone';
const database = withDatabase();
const dir = path.join(projectRoot(), '.yardmaster', `browser-${process.env.TEST_RUN_ID ?? 'none'}`);
let browser: Browser;
let gateway: OwnProcess;
let url: string;
let pool: Pool;

beforeAll(async () => {
  pool = database.pool;
  const port = await claimPort({ port: 0, purpose: 'a gateway', changeWith: 'nothing' });
  url = `http://127.0.0.1:${port}`;
  const env = {
    DATABASE_URL: database.databaseUrl,
    DATABASE_DIRECT_URL: database.databaseUrl,
    TEMPORAL_ADDRESS: process.env.TEST_TEMPORAL_ADDRESS ?? '',
    GATEWAY_PORT: String(port),
    YARDMASTER_KEYS: `board:read_only:${key}`,
  };
  gateway = createGatewayProcess({ name: 'gateway', dir, env, readyUrl: `${url}/livez` });
  await gateway.start();
  browser = await chromium.launch({
    executablePath: await findChromium({ say: (line) => process.stderr.write(`${line}\n`) }),
    args: ['--no-sandbox'],
  });
}, 400_000);

afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

/** ATM's LogStream, act for act (atm §4.2): its effect depends on an inline callback, so each render of its parent closes, clears and opens anew. */
const oldPage = `<!doctype html><title>old</title><script>
  const seen = { connections: 0, completed: [], lines: [], banner: null };
  let unmount = () => {};
  const mount = () => {
    seen.lines = []; seen.banner = null; seen.connections++;
    const events = new EventSource('/deploy/stream');
    events.onmessage = (event) => {
      try {
        const data = JSON.parse(event.data);
        if (data.type === 'log' && data.line) seen.lines.push(data.line);
        else if (data.type === 'complete') { seen.banner = data.success; seen.completed.push(data.success); render(); render(); events.close(); }
      } catch { seen.lines.push(event.data); }
    };
    events.onerror = () => events.close();
    return () => events.close();
  };
  const render = () => { unmount(); unmount = mount(); };
  render();
</script>`;

interface OldPage {
  connections: number;
  completed: boolean[];
  lines: string[];
}

const openPage = async (): Promise<Page> => {
  const page = await (await browser.newContext()).newPage();
  await page.route(`${url}/old-page`, async (route) => await route.fulfill({ contentType: 'text/html', body: oldPage }));
  return page;
};
/** The cookie goes into the browser's jar. */
const signIn = async (page: Page): Promise<void> => {
  expect((await page.request.post(`${url}/v1/session`, { headers: { 'x-api-key': key } })).status()).toBe(201);
};
const evaluate = async <Result>(page: Page, script: string): Promise<Result> => await page.evaluate<Result>(script);

test('the panel of the old page keeps its lines to the end through all its renders, is told the end once, and does not connect in a loop', async () => {
  const page = await openPage();
  await signIn(page);
  const deployId = await addDeploy(pool);
  await appendLines(pool, deployId, ['one', 'two']);
  await page.goto(`${url}/old-page`);
  const seen = async (): Promise<OldPage> => await evaluate(page, 'seen');
  for (let render = 0; render < 5; render++) {
    await appendLines(pool, deployId, [`live ${render}`]);
    await until(async () => (await seen()).lines.length === 3 + render, { what: `the panel shows line ${render}` });
    await evaluate(page, 'render()');
  }
  await until(async () => (await seen()).lines.length === 7, { what: 'the panel is full again' });
  await endDeploy(pool, deployId, 'succeeded');
  await until(async () => (await seen()).completed.length > 0, { what: 'the end is told' });
  const atEnd = (await seen()).connections;
  // Each render after the end brings the lines back, and no further end: that would make it render, and connect, for ever.
  for (let render = 0; render < 5; render++) {
    await until(async () => (await seen()).lines.length === 7, { what: 'the lines are there' });
    await evaluate(page, 'render()');
  }
  await until(async () => (await seen()).lines.length === 7, { what: 'the lines stay' });
  expect(await seen()).toMatchObject({
    completed: [true],
    connections: atEnd + 5,
    lines: ['one', 'two', 'live 0', 'live 1', 'live 2', 'live 3', 'live 4'],
  });
  await page.context().close();
}, 120_000);

test('our page says what is wrong with a deploy that does not exist, and follows nothing', async () => {
  const page = await openPage();
  await signIn(page);
  const asked: string[] = [];
  page.on('request', (request) => void asked.push(request.url()));
  const deployId = randomUUID();
  await page.goto(`${url}/watch/${deployId}`);
  const notice = `No deploy has the id ${deployId}`;
  await until(async () => (await page.textContent('#state')) === notice, { what: 'the page says it' });
  // A stream that the page had opened would have been asked for before this.
  await evaluate(page, `fetch('/livez').then(({ status }) => status)`);
  expect(await page.textContent('#state')).toBe(notice);
  expect(asked.filter((each) => each.endsWith('/stream'))).toEqual([]);
  await page.context().close();
}, 60_000);

test('our page asks for a key, shows the log, and goes on by itself where it stopped when the gateway is killed and comes back', async () => {
  const page = await openPage();
  const problems: string[] = [];
  page.on(
    'console',
    (message) => void (message.type() === 'error' && /Content Security Policy/.test(message.text()) && problems.push(message.text())),
  );
  page.on('pageerror', (error) => void problems.push(error.message));
  let connections = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/stream')) connections++;
  });
  const deployId = await addDeploy(pool, { destination: 'staging' });
  await pool.query(
    `insert into yardmaster.deploy_host (deploy_id, host, roles, batch, state, version_before) values ($1, '10.0.0.7', '{web,workers}', 0, 'held', 'v0')`,
    [deployId],
  );
  await appendLines(pool, deployId, ['The preflight is through'], { stream: 'yardmaster' });
  await page.goto(`${url}/watch/${deployId}`);
  await page.fill('#key', 'no-key-of-anybody');
  await page.click('button');
  await until(async () => (await page.textContent('#state')) === 'That key opens nothing', { what: 'a wrong key is refused' });
  await page.fill('#key', key);
  await page.click('button');
  const lines = async (): Promise<string[]> => await page.locator('#log li').allTextContents();
  await until(async () => (await lines()).length === 1, { what: 'the log is there' });
  await appendLines(
    pool,
    deployId,
    Array.from({ length: 40 }, (_, n) => `  INFO [${n}] Running docker pull on 10.0.0.7 <b>${n}</b>`),
  );
  await until(async () => (await lines()).length === 41, { what: 'it goes on live' });

  await gateway.kill();
  await appendLines(pool, deployId, ['while it was away']);
  await gateway.start();
  await until(async () => (await lines()).length === 42, { what: 'it goes on after the restart', timeoutMs: 60_000 });
  await appendLines(pool, deployId, ['and live again']);
  await endDeploy(pool, deployId, 'rolled_back', 'the image dies');
  await until(async () => (await page.getAttribute('body', 'data-ended')) === 'true', { what: 'the end is told' });
  await until(async () => (await page.textContent('#state')) === 'rolled_back: the image dies', { what: 'the outcome is shown' });

  const shown = await lines();
  // Without Last-Event-ID, which no test can see, the log would be there twice.
  expect(new Set(shown).size).toBe(shown.length);
  expect(shown.slice(-2)).toEqual(['while it was away', 'and live again']);
  expect(shown).toHaveLength(43);
  expect(connections).toBeGreaterThan(1);
  expect(problems).toEqual([]);
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  await page.context().close();
}, 180_000);
