import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { taskQueues, workflowNames } from '../../../src/contracts/messages';
import { until } from '../until';
import { expectThat, type Fault } from './fault';
import { beforeForm, eventsOf, startJobAt, triggerSweep, untilPassAfter, untilState, type Ground } from './ground';
import { untilRunElsewhere } from './run-elsewhere';

const awayMs = 6_000;

const postgresAway: Fault = {
  name: 'Postgres away during a pass',
  hosts: 1,
  async play({ ground, hosts, staged, round }) {
    const { jobId } = await startJobAt(ground, hosts[0]!, '/slow-start?startMs=3000&ms=300', { affinity: 'strict' });
    await staged();
    await inAPass(ground, async () => {
      // Somewhere in its statements, another place each time.
      await delay((round % 5) * 20);
      await ground.gate.close();
    });
    await delay(awayMs);
    const at = Date.now();
    await ground.gate.open();
    const passAt = await untilPassAfter(ground, at);
    await untilState(ground, jobId, 'succeeded');
    return {
      jobIds: [jobId],
      recoveryMs: passAt - at,
      broken: expectThat({ 'nobody tried it again': eventsOf(ground, jobId, 'claimed').length === 1 }),
    };
  },
};

const passKilled: Fault = {
  name: 'a pass killed in the middle',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    const { orchestrators } = ground.plane;
    const { jobId, seq } = await startJobAt(ground, host!, beforeForm);
    await staged();
    let at = 0;
    await inAPass(ground, async () => {
      host!.kill();
      at = Date.now();
      await Promise.all(orchestrators.map(async (each) => await each.kill()));
    });
    await Promise.all(orchestrators.map(async (each) => await each.start()));
    const played = await untilRunElsewhere(ground, { jobId, seq, struckAt: at });
    await host!.startWorker();
    return played;
  },
};

const racingPasses = 3;

const racing: Fault = {
  name: 'two orchestrators racing',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    const { jobId, seq } = await startJobAt(ground, host!, beforeForm);
    await staged();
    const at = Date.now();
    host!.kill();
    // The schedule keeps passes apart; these do not care, so that both orchestrators sweep at once.
    const sweepAtOnce = async (): Promise<unknown> =>
      await Promise.allSettled(
        Array.from(
          { length: racingPasses },
          async () =>
            await ground.client.workflow.execute(workflowNames.workerCleanup, {
              workflowId: `racing-${randomUUID()}`,
              taskQueue: taskQueues.orchestrator,
            }),
        ),
      );
    let isOver = false;
    const races = (async (): Promise<void> => {
      while (!isOver) await sweepAtOnce();
    })();
    const played = await untilRunElsewhere(ground, { jobId, seq, struckAt: at }).finally(() => (isOver = true));
    await races;
    await host!.startWorker();
    return played;
  },
};

/** They meet the whole yard, so they are played one after the other. */
export const yardFaults: readonly Fault[] = [postgresAway, passKilled, racing];

/** Holds a pass in its middle, behind a lock on what it writes next, while `work` is done. */
const inAPass = async (ground: Ground, work: () => Promise<void>): Promise<void> => {
  const client = await ground.pool.connect();
  try {
    await client.query('begin');
    await client.query('lock table yardmaster.host_probe in exclusive mode');
    await triggerSweep(ground);
    await until(
      async () =>
        (
          await ground.pool.query(
            `select from pg_stat_activity where datname = current_database() and application_name = 'yardmaster-orchestrator'
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
