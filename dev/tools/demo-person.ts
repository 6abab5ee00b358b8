import { Client } from 'pg';
import { demoKeys, type DemoFleet } from './demo-fleet';
import type { DemoJob } from './demo-jobs';

/** The part of `GET /v1/jobs/:jobId` that the demo looks at. */
export interface JobAnswer {
  state: string;
  reason: string;
  attempts: { attemptId: string; workerId: string; state: string }[];
}

/** The person of each story: acts once, over REST, when the job is where the story wants it. True when it has. */
export const actAsPerson = async (
  fleet: DemoFleet,
  { jobId, person }: { jobId: string; person: NonNullable<DemoJob['person']> },
  { state, attempts }: JobAnswer,
): Promise<boolean> => {
  const job = `${fleet.gatewayUrl}/v1/jobs/${jobId}`;
  const isWaitingForPerson = state === 'waiting_human';
  switch (person) {
    case 'says it was submitted':
      if (isWaitingForPerson) await ask(`${job}/resolve?wait=0`, { submitted: true, note: 'submitted it by hand' });
      return isWaitingForPerson;
    case 'solves the captcha':
      if (isWaitingForPerson) await ask(`${job}/resume?wait=0`, { resolutionType: 'manual' });
      return isWaitingForPerson;
    case 'sends the code':
      if (isWaitingForPerson) await ask(`${job}/resume?wait=0`, { resolutionType: 'code_entry', code: '482913' });
      return isWaitingForPerson;
    case 'cancels it while it waits':
      if (state === 'waiting') say(await ask<CommandAnswer>(`${job}/cancel?wait=10`, { reason: 'changed my mind' }));
      return state === 'waiting';
    case 'cancels it while it runs':
      if (state === 'running') void ask<CommandAnswer>(`${job}/cancel?wait=20`, { reason: 'the posting is closed' }).then(say, complain);
      return state === 'running';
    case 'cancels it though the registry forgot its worker': {
      const workerId = attempts.at(-1)?.workerId;
      if (state !== 'running' || workerId === undefined) return false;
      await forgetWorker(fleet, workerId);
      void ask<CommandAnswer>(`${job}/cancel?wait=20`, { reason: 'the registry row is gone' }).then(say, complain);
      return true;
    }
    case 'kills its worker': {
      const workerId = attempts.at(-1)?.workerId;
      if (state !== 'running' || workerId === undefined) return false;
      await killWorker(fleet, workerId);
      return true;
    }
    case 'sends the code past us':
      if (isWaitingForPerson) await resumeAtMachine(fleet, jobId);
      return isWaitingForPerson;
    case 'cancels it past us':
      if (state === 'running') await cancelInRow(fleet, jobId);
      return state === 'running';
  }
};

interface CommandAnswer {
  outcome: string | null;
  detail: string;
  route: { route: string; reason: string } | null;
}

const say = (answer: CommandAnswer): void =>
  console.log(
    `        cancel: ${answer.outcome ?? 'under way'}, route ${answer.route?.route ?? 'none yet'} (${answer.route?.reason ?? answer.detail})`,
  );

const complain = (error: unknown): void => console.log(`        ${String(error)}`);

/** What an operator's hand or a bad migration does to a registry row; its worker writes it again only when it restarts. */
const forgetWorker = async ({ stack }: DemoFleet, workerId: string): Promise<void> => {
  const client = new Client({ connectionString: stack.databaseUrl });
  await client.connect();
  await client.query('delete from gh_worker_registry where worker_id = $1', [workerId]);
  await client.end();
};

/** VALET asks the API of a machine, which writes the code into the public row (ghosthands §1.4). */
const resumeAtMachine = async ({ simulator }: DemoFleet, jobId: string): Promise<void> => {
  const host = simulator.hosts.find(({ isReady }) => isReady);
  if (host === undefined) throw new Error('no machine is up');
  const response = await fetch(`http://${host.config.listenIp}:${host.ports.api}/api/v1/gh/valet/resume/${jobId}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-gh-service-key': demoKeys.product },
    body: JSON.stringify({ resolution_type: 'code_entry', resolution_data: { code: '715204' } }),
  });
  console.log(`        a code went to the API of a machine, past us: ${response.status}`);
};

/** VALET cancels its task, and heals the public row at the next read of it (valet §3.1). */
const cancelInRow = async ({ stack }: DemoFleet, jobId: string): Promise<void> => {
  const client = new Client({ connectionString: stack.databaseUrl });
  await client.connect();
  await client.query(`update gh_automation_jobs set status = 'cancelled', completed_at = now() where id = $1`, [jobId]);
  await client.end();
  console.log('        a cancel was written into the public row, past us');
};

/** SIGKILL in the middle of a job, over the simulator's control port; Docker starts the container again. */
const killWorker = async ({ simulator }: DemoFleet, workerId: string): Promise<void> => {
  const response = await fetch(`http://127.0.0.1:${simulator.controlPort}/hosts/${workerId}/kill`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ restart: true }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}`);
  console.log(`        ${workerId} is killed`);
};

export const ask = async <Answer>(url: string, body?: object, key: string = demoKeys.operator): Promise<Answer> => {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
};
