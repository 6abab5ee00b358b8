import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { taskQueues, workflowNames } from '../../../src/contracts/messages';
import { until } from '../until';
import { expectThat, type Fault } from './fault';
import { beforeForm, eventsOf, startJobAt, triggerSweep, untilPassAfter, untilState, type FaultFixture } from './fault-fixture';
import { untilRunElsewhere } from './run-elsewhere';

const awayMs = 6_000;

const postgresAway: Fault = {
  name: 'Postgres away during a pass',
  hosts: 1,
  async inject({ fixture, hosts, staged, round }) {
    const { jobId } = await startJobAt(fixture, hosts[0]!, '/slow-start?startMs=3000&ms=300', { affinity: 'strict' });
    await staged();
    await inAPass(fixture, async () => {
      // Somewhere in its statements, another place each time.
      await delay((round % 5) * 20);
      await fixture.gate.close();
    });
    await delay(awayMs);
    const at = Date.now();
    await fixture.gate.open();
    const passAt = await untilPassAfter(fixture, at);
    await untilState(fixture, jobId, 'succeeded');
    return {
      jobIds: [jobId],
      recoveryMs: passAt - at,
      broken: expectThat({ 'nobody tried it again': eventsOf(fixture, jobId, 'claimed').length === 1 }),
    };
  },
};

const passKilled: Fault = {
  name: 'a pass killed in the middle',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    const { orchestrators } = fixture.plane;
    const { jobId, seq } = await startJobAt(fixture, host!, beforeForm);
    await staged();
    let at = 0;
    await inAPass(fixture, async () => {
      host!.kill();
      at = Date.now();
      await Promise.all(orchestrators.map(async (each) => await each.kill()));
    });
    await Promise.all(orchestrators.map(async (each) => await each.start()));
    const result = await untilRunElsewhere(fixture, { jobId, seq, injectedAt: at });
    await host!.startWorker();
    return result;
  },
};

const racingPasses = 3;

const racing: Fault = {
  name: 'two orchestrators racing',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    const { jobId, seq } = await startJobAt(fixture, host!, beforeForm);
    await staged();
    const at = Date.now();
    host!.kill();
    // The schedule keeps passes apart; these do not care, so that both orchestrators sweep at once.
    const sweepAtOnce = async (): Promise<unknown> =>
      await Promise.allSettled(
        Array.from(
          { length: racingPasses },
          async () =>
            await fixture.client.workflow.execute(workflowNames.workerCleanup, {
              workflowId: `racing-${randomUUID()}`,
              taskQueue: taskQueues.orchestrator,
            }),
        ),
      );
    let isOver = false;
    const races = (async (): Promise<void> => {
      while (!isOver) await sweepAtOnce();
    })();
    const result = await untilRunElsewhere(fixture, { jobId, seq, injectedAt: at }).finally(() => (isOver = true));
    await races;
    await host!.startWorker();
    return result;
  },
};

/** They hit the whole system, so they are injected one after the other. */
export const systemFaults: readonly Fault[] = [postgresAway, passKilled, racing];

/** Holds a pass in its middle, behind a lock on what it writes next, while `work` is done. */
const inAPass = async (fixture: FaultFixture, work: () => Promise<void>): Promise<void> => {
  const client = await fixture.pool.connect();
  try {
    await client.query('begin');
    await client.query('lock table yardmaster.host_probe in exclusive mode');
    await triggerSweep(fixture);
    await until(
      async () =>
        (
          await fixture.pool.query(
            `select from pg_stat_activity where datname = current_database() and application_name = 'yardmaster-orchestrator-sweep'
               and wait_event_type = 'Lock' and query like '%host_probe%'`,
          )
        ).rowCount,
      { what: 'a pass is in its middle', timeoutMs: 60_000 },
    );
    await work();
  } finally {
    await client.query('rollback');
    client.release();
  }
};
