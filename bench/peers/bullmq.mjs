import { createPostgresBackend, Queue, Worker } from 'bullmq';

/** Its backend on Postgres, woken by NOTIFY. A job has no steps. */
export const start = async ({ databaseUrl, concurrency, told, done }) => {
  const connection = { connectionString: databaseUrl, migrate: true };
  const queue = new Queue('job', { connection, defaultJobOptions: { removeOnComplete: true } }, createPostgresBackend);
  await queue.waitUntilReady();
  const worker = new Worker(
    'job',
    async ({ data }) => {
      told(data.id);
      done(data.id);
    },
    { connection, concurrency },
    createPostgresBackend,
  );
  await worker.waitUntilReady();
  return {
    submit: async (id) => await queue.add('job', { id }),
    async stop() {
      await worker.close(true);
      await queue.close();
    },
  };
};
