import { once } from 'node:events';
import type { RequestHandler, Response } from 'express';
import { findLogHead, readLogPage, type LogHead } from '../../db/deploys/deploy-log-reads';
import { noSuchDeploy } from '../deploys/signal-deploy';
import { readInput } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { invalidField, Problem } from '../problem';
import { getFacts } from '../request-facts';
import { streamDeployLog } from '../sse/deploy-log';
import { parseLastEventId } from '../sse/frame';
import { openStream } from '../sse/open-stream';

/** What deploys said: as it comes, and as a whole. */
export const createDeployLogRoutes = (deps: GatewayDeps): Record<'streamDeployLog' | 'getDeployLog', RequestHandler> => ({
  streamDeployLog: async (request, response) => {
    const { params, query, headers } = readInput(endpoints.streamDeployLog, request);
    const { after, hasSeenEnd } = whereToGoOn(query.after, headers['last-event-id']);
    const head = await getLogHead(deps, params.deployId);
    if (after > head.lastSeq) throw beyondTheEnd(after, head, headers['last-event-id'] === undefined ? 'after' : 'Last-Event-ID');
    if (hasSeenEnd && head.outcome !== null) return void response.status(204).end();
    if (request.method === 'HEAD') return void response.status(200).type('text/event-stream').end();
    await streamDeployLog(deps.streams.source, openStream(deps, request, response), { head, after });
  },

  getDeployLog: async (request, response) => {
    const { deployId } = readInput(endpoints.getDeployLog, request).params;
    const { lastSeq } = await getLogHead(deps, deployId);
    getFacts(request).isStream = true;
    response.status(200).type('text/plain');
    if (request.method === 'HEAD') return void response.end();
    await writeLog(deps, response, { deployId, upTo: lastSeq });
    response.end();
  },
});

const getLogHead = async ({ pool }: GatewayDeps, deployId: string): Promise<LogHead> => {
  const head = await findLogHead(pool, deployId);
  if (head === null) throw noSuchDeploy(deployId);
  return head;
};

/** A reconnect repeats its address, so what it has seen since goes first. */
const whereToGoOn = (after: number | undefined, lastEventId: string | undefined): { after: number; hasSeenEnd: boolean } => {
  if (lastEventId === undefined || lastEventId === '') return { after: after ?? 0, hasSeenEnd: false };
  const seen = parseLastEventId(lastEventId);
  if (seen === null) throw new Problem('malformed', 'Last-Event-ID: must be the id of an event of this stream');
  return seen;
};

const beyondTheEnd = (after: number, { lastSeq, deployId }: LogHead, name: string): Problem =>
  invalidField(name, `${after} is beyond the end: the newest line of deploy ${deployId} is number ${lastSeq}`);

/** Page after page, each when the last one is taken: a log may be larger than the memory of whoever passes it on. */
const writeLog = async (
  { pool, limits, streams }: GatewayDeps,
  response: Response,
  { deployId, upTo }: { deployId: string; upTo: number },
): Promise<void> => {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  let after = 0;
  while (after < upTo && !gone.signal.aborted) {
    const from = after;
    const page = await streams.source.semaphore.runExclusive(
      async () => await readLogPage(pool, { deployId, after: from, rows: limits.logPageRows, bytes: limits.logPageBytes }),
    );
    const lines = (page?.lines ?? []).filter(({ seq }) => seq <= upTo);
    const first = lines[0]?.seq ?? upTo + 1;
    const removed = first > after + 1 ? `(lines ${after + 1} to ${first - 1} were removed after their retention)\n` : '';
    const text = removed + lines.map(({ at, stream, line }) => `${at} ${stream} ${line}\n`).join('');
    after = lines.at(-1)?.seq ?? upTo;
    if (!response.write(text)) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
};
