import { Logger, run } from 'graphile-worker';

/** LISTEN wakes it; completions are written in batches, as its page on performance advises. A job has no steps. */
export const start = async ({ databaseUrl, concurrency, told, done }) => {
  const runner = await run({
    preset: {
      worker: { connectionString: databaseUrl, concurrentJobs: concurrency, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
    },
    noHandleSignals: true,
    logger: new Logger(() => () => undefined),
    taskList: {
      job({ id }) {
        told(id);
        done(id);
      },
    },
  });
  return {
    submit: async (id) => await runner.addJob('job', { id }),
    stop: async () => await runner.stop(),
  };
};
