import { Socket } from 'node:net';
import { Client, type ClientConfig, Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { NetworkLine } from './network-line';
import type { ProcessLife } from './process-life';

/** GH's pool on the direct URL: attempt id, cancel listener, human-wait. Two ghost waiters fill it, and the next job hangs (ghosthands §6.3). */
const directPoolMax = 2;

/**
 * The Postgres connections of one worker process: one client for pickup, registry and LISTEN gh_job_created, and the pool on the direct URL,
 * which a worker without that URL does not have (ghosthands §2.4).
 */
export class WorkerDatabase {
  readonly line = new NetworkLine();
  readonly client: Client;
  private readonly pool: Pool | null;
  private readonly sockets = new Set<Socket>();
  private lastQuery: Promise<unknown> = Promise.resolve();

  constructor(
    urls: { databaseUrl: string; directUrl: string | null },
    private readonly life: ProcessLife,
    /** GH has no error handler on checked-out connections: losing one is an uncaught exception (ghosthands §2.4). */
    private readonly onConnectionLost: (whose: string) => void,
  ) {
    this.client = new Client(this.config(urls.directUrl ?? urls.databaseUrl));
    this.client.on('error', () => this.lost('main client'));
    this.pool = urls.directUrl ? new Pool({ ...this.config(urls.directUrl), max: directPoolMax }) : null;
    // An idle connection of the pool that dies is replaced, no more.
    this.pool?.on('error', () => {});
    life.onEnd(() => this.destroy());
  }

  get hasDirectPool(): boolean {
    return this.pool !== null;
  }

  async connect(): Promise<void> {
    await this.life.run(this.line.pass());
    await this.life.run(this.client.connect());
  }

  /** Heartbeats, pickup and LISTEN share the one client and wait for each other. GH leaves that to a queue of pg's, which pg 9 has no more. */
  async query<R extends QueryResultRow>(text: string, values: unknown[] = []): Promise<QueryResult<R>> {
    await this.life.run(this.line.pass());
    const answer = this.lastQuery.then(() => this.client.query<R>(text, values));
    this.lastQuery = answer.catch(() => undefined);
    return this.life.run(answer);
  }

  async poolQuery<R extends QueryResultRow>(text: string, values: unknown[] = []): Promise<QueryResult<R>> {
    if (!this.pool) throw new Error('this worker has no direct URL');
    await this.life.run(this.line.pass());
    return this.life.run(this.pool.query<R>(text, values));
  }

  /** Takes one of the two connections, waiting without a limit while both are out, as GH does. */
  async checkOut(purpose: string): Promise<PoolClient> {
    if (!this.pool) throw new Error('this worker has no direct URL');
    const client = await this.life.run(this.pool.connect());
    const lost = (): void => this.lost(purpose);
    client.on('error', lost);
    const release = client.release.bind(client);
    client.release = (error) => {
      client.off('error', lost);
      release(error);
    };
    return client;
  }

  /** Ends the pool. Like GH it waits for what is checked out, so until the running job has ended (ghosthands §2.2). */
  async end(): Promise<void> {
    if (this.pool) await this.life.run(this.pool.end());
    await this.life.run(this.client.end());
  }

  private lost(purpose: string): void {
    // Behind a cut line nobody learns that the server has given the session up.
    void this.line.pass().then(() => this.life.whenAwake(() => this.onConnectionLost(purpose)));
  }

  private config(connectionString: string): ClientConfig {
    return {
      connectionString,
      stream: () => {
        const socket = new Socket();
        this.sockets.add(socket);
        socket.on('close', () => this.sockets.delete(socket));
        return socket;
      },
    };
  }

  /** As the kernel does for a killed process: no goodbye to the server. */
  private destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
