import os from 'node:os';
import { Worker } from '@temporalio/worker';
import { deployOutcomes } from '../../src/contracts/deploy';
import { terminalJobStates } from '../../src/contracts/job';
import { workflowNames } from '../../src/contracts/messages';
import { projectRoot } from '../../src/project-root';
import { readRecorded, recordAgain, recordDeploysAgain, type RecordedHistory } from '../support/recorded-histories';
import { workflowBundle } from '../support/workflow-bundle';

/**
 * Histories of real runs, replayed against the workflows as they are now. One that fails is a workflow that would be stuck after a deploy.
 *
 * To record them all again, in about five minutes: WRITE_HISTORIES=1 npx jest test/workflows/replay.test.ts (=deploys records those alone)
 */
if (process.env.WRITE_HISTORIES) {
  describe('recording', () => {
    if (process.env.WRITE_HISTORIES !== 'deploys') recordAgain();
  });
  describe('recording deploys', () => {
    recordDeploysAgain();
  });
}

const advice = `The workflow does not do again what it did in this history, so one that is open now would be stuck after a deploy. Keep the
old way behind patched('<name of the change>') from @temporalio/workflow. Only if no workflow of before the change can be open any more, record
again: WRITE_HISTORIES=1 npx jest test/workflows/replay.test.ts`;

describe('a workflow that runs now', () => {
  let recorded: RecordedHistory[] = [];
  let codePath = '';
  beforeAll(async () => {
    recorded = await readRecorded();
    codePath = await workflowBundle();
  });

  /** Of each that is stuck: its id, and why. One worker plays them all, since each has a sandbox of its own to build. */
  const replay = async (histories: { workflowId: string; history: unknown }[]): Promise<string[]> => {
    const stuck: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: { codePath } }, histories)) {
      if (error !== undefined) stuck.push(`${workflowId}: ${String(error)}`);
    }
    return stuck;
  };

  test('goes on from every recorded history', async () => {
    const stuck = await replay(recorded.map(({ ending, history }) => ({ workflowId: ending, history })));
    if (stuck.length > 0) throw new Error(`${advice}\n\n${stuck.join('\n\n')}`);
    expect(recorded.length).toBeGreaterThan(0);
  });

  test('can be cancelled after any of its steps', async () => {
    const cancelled = recorded.flatMap(({ ending, history }) =>
      cancelledAfterEachTask(history).map((cut, index) => ({ workflowId: `${ending}, task ${index + 1}`, history: cut })),
    );
    expect(await replay(cancelled)).toEqual([]);
    expect(cancelled.length).toBeGreaterThan(recorded.length);
  });

  test('is caught when it takes another step than it took', async () => {
    const succeeded = recorded.find(({ ending }) => ending === 'succeeded');
    // As if the workflow had once delivered its callbacks by another name.
    const otherStep = JSON.stringify(succeeded?.history).replaceAll('"deliverDueCallbacks"', '"deliverAnything"');
    expect(await replay([{ workflowId: 'changed', history: JSON.parse(otherStep) }])).toEqual([expect.stringMatching(/deliver/)]);
  });

  test('has a history of each of its kinds, of each end of a job and each outcome of a deploy', () => {
    expect([...new Set(recorded.map(({ workflowType }) => workflowType))].toSorted()).toEqual(Object.values(workflowNames).toSorted());
    const ends = recorded
      .filter(({ workflowType }) => workflowType === workflowNames.applyJob)
      .map(({ result }) => String(Reflect.get(Object(result), 'state')));
    expect([...new Set(ends)].toSorted()).toEqual([...terminalJobStates].toSorted());
    const outcomes = recorded
      .filter(({ workflowType }) => workflowType === workflowNames.kamalDeploy)
      .map(({ result }) => String(Reflect.get(Object(result), 'outcome')));
    expect(outcomes.toSorted()).toEqual(deployOutcomes.toSorted());
  });

  test('P8: leaves no personal data in a history, and no name of a machine', () => {
    const traces = ['Zoë', 'Ünal', 'example.test', 'resumes/', `@${os.hostname()}`, projectRoot()];
    const found = recorded.filter(({ plainText }) => traces.some((trace) => plainText.includes(trace)));
    expect(found.map(({ ending }) => ending)).toEqual([]);
  });
});

interface HistoryEvent {
  eventType: string;
  eventTime: unknown;
}

/** The same history up to the end of each of its workflow tasks, where somebody presses Cancel and the next task begins. */
const cancelledAfterEachTask = (history: unknown): { events: object[] }[] => {
  const { events } = history as { events: HistoryEvent[] };
  const [, scheduled, started] = events as unknown as Record<string, object>[];
  return events.flatMap(({ eventType }, index) => {
    if (eventType !== 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED') return [];
    const end = events.findIndex((event, at) => at > index && !commandEvents.test(event.eventType));
    const next = events[end];
    if (next === undefined) return [];
    const event = (after: number, kind: string, attributes: object): object => ({
      eventId: String(end + after),
      eventTime: next.eventTime,
      eventType: `EVENT_TYPE_${kind}`,
      ...attributes,
    });
    return {
      events: [
        ...events.slice(0, end),
        event(1, 'WORKFLOW_EXECUTION_CANCEL_REQUESTED', { workflowExecutionCancelRequestedEventAttributes: { cause: '' } }),
        event(2, 'WORKFLOW_TASK_SCHEDULED', { workflowTaskScheduledEventAttributes: scheduled?.workflowTaskScheduledEventAttributes }),
        event(3, 'WORKFLOW_TASK_STARTED', {
          workflowTaskStartedEventAttributes: { ...started?.workflowTaskStartedEventAttributes, scheduledEventId: String(end + 2) },
        }),
      ],
    };
  });
};

/** What a workflow task leaves behind itself. */
const commandEvents = /MARKER|TIMER_STARTED|TIMER_CANCELED|ACTIVITY_TASK_SCHEDULED|UPSERT|INITIATED/;
