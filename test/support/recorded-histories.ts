import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { Worker } from '@temporalio/worker';
import { z } from 'zod';
import { projectRoot } from '../../src/project-root';
import { playDeployStories } from './deploy-stories';
import { withDeployFixture } from './deploy-fixture';
import { playStories } from './ending-stories';
import { withFleetFixture } from './fleet-fixture';
import { workflowBundle } from './workflow-bundle';

/** Histories of real runs, one for each way in which a workflow of ours ends. Replaying them tells whether open workflows survive a change. */

const folder = path.join(projectRoot(), 'test', 'histories');

const payload = z.object({ data: z.string().optional() });
const historySchema = z.object({
  events: z.array(
    z.looseObject({
      eventType: z.string(),
      workflowExecutionStartedEventAttributes: z.looseObject({ workflowType: z.object({ name: z.string() }) }).optional(),
      workflowExecutionCompletedEventAttributes: z.looseObject({ result: z.object({ payloads: z.array(payload) }).nullish() }).optional(),
    }),
  ),
});

export interface RecordedHistory {
  ending: string;
  workflowId: string;
  history: z.infer<typeof historySchema>;
  workflowType: string;
  /** Null for a workflow that answers nothing. */
  result: unknown;
  /** The file with every payload in plain text. */
  plainText: string;
}

const fileSchema = z.object({ workflowId: z.string(), history: historySchema });

export const readRecorded = async (): Promise<RecordedHistory[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  return await Promise.all(
    names.map(async (name) => {
      const text = await readFile(path.join(folder, name), 'utf8');
      const { workflowId, history } = fileSchema.parse(JSON.parse(text));
      const result = history.events.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads[0]?.data;
      return {
        ending: path.basename(name, '.json'),
        workflowId,
        history,
        workflowType: history.events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name ?? 'unknown',
        result: result === undefined ? null : (JSON.parse(decode(result)) as unknown),
        plainText: text + text.replaceAll(/"data":\s*"([^"]*)"/g, (_all, data: string) => decode(data)),
      };
    }),
  );
};

/** Registers the runs that are recorded, as tests of the file that calls it. */
export const recordAgain = (): void => {
  const fixture = withFleetFixture({
    hosts: 3,
    limits: {
      retryBackoffFirstMs: 200,
      attemptSilentMs: 3_000,
      doubtRecheckMs: 500,
      blockerMs: 2_000,
      blockerGraceMs: 500,
      waitForWorkerMs: 5_000,
      callbackBackoffFirstMs: 4_000,
    },
    times: { exitDelayMs: 1_000 },
    recycle: async (simulator, host) => await simulator.restart(host).then(() => true),
  });
  playStories(fixture, async (ending, workflowId) => await record(fixture.client, ending, workflowId));
};

/** The same for deploys, which have a fixture of their own. */
export const recordDeploysAgain = (): void => {
  const fixture = withDeployFixture({ limits: { deployCompensateTries: 2 } });
  playDeployStories(fixture, async (ending, workflowId) => await record(fixture.client, ending, workflowId));
};

const record = async (client: Client, ending: string, workflowId: string): Promise<void> => {
  const history: unknown = JSON.parse(historyToJSON(await client.workflow.getHandle(workflowId).fetchHistory()));
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${ending}.json`), withoutTraces(write(workflowId, history)));
};

/** One event a line: small, and a change of the story can be read in a diff. */
const write = (workflowId: string, history: unknown): string => {
  const { events } = historySchema.parse(history);
  const lines = events.map((event) => JSON.stringify(event));
  return `{"workflowId":${JSON.stringify(workflowId)},"history":{"events":[\n${lines.join(',\n')}\n]}}\n`;
};

/** The name of the machine that recorded them is nobody's business, and would differ each time. */
const withoutTraces = (text: string): string => text.replaceAll(`${process.pid}@${os.hostname()}`, 'recorder');

const decode = (data: string): string => Buffer.from(data, 'base64').toString('utf8');

/** Of each that is stuck: its id, and why. One worker plays them all, since each has a sandbox of its own to build. */
export const replay = async (histories: { workflowId: string; history: unknown }[]): Promise<string[]> => {
  const stuck: string[] = [];
  const codePath = await workflowBundle();
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, histories)) {
    if (error !== undefined) stuck.push(`${workflowId}: ${String(error)}`);
  }
  return stuck;
};
