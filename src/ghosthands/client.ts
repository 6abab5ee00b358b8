import { request } from 'node:http';
import { isIP } from 'node:net';
import { apiHealthSchema, apiVersionSchema, workerStatusSchema } from '../contracts/ghosthands';
import { machineName } from '../domain/machine-name';
import { parseJson } from '../domain/json';
import type { Sensitive } from '../domain/sensitive';

/** Where a host's two ports are; without an entry they are the true ones of its address, 3100 and 3101. */
export type HostAddressMap = Readonly<Record<string, { api: string; worker: string }>>;

type WorkerPortAnswer =
  { kind: 'answers'; status: ReturnType<typeof workerStatusSchema.parse> } | { kind: 'refused' } | { kind: 'silent'; problem: string };

/** Reads GH hosts, each answer bounded in time and size, and asks one for a cancel where that is wished. */
export const createHostClient = ({
  addressMap,
  timeoutMs,
  answerBytesMax,
  serviceSecret,
}: {
  addressMap: HostAddressMap;
  timeoutMs: number;
  answerBytesMax: number;
  /** GH's `X-GH-Service-Key`; without one nothing is asked for. */
  serviceSecret: Sensitive<string> | null;
}) => {
  const urlOf = (name: string, port: 'api' | 'worker'): string | null => {
    const host = machineName(name);
    const mapped = addressMap[host]?.[port];
    if (mapped !== undefined) return mapped;
    // Registries hold `unknown`, `local` and worse (ghosthands §2.3).
    const family = isIP(host);
    if (family === 0) return null;
    return `http://${family === 6 ? `[${host}]` : host}:${port === 'api' ? 3100 : 3101}`;
  };

  return {
    /** `refused` proves that nothing listens on a machine that is there; everything unusable is `silent`. */
    async readWorkerPort(host: string): Promise<WorkerPortAnswer> {
      const url = urlOf(host, 'worker');
      if (url === null) return { kind: 'silent', problem: `not an address: ${host}` };
      const answer = await send(`${url}/worker/status`, { timeoutMs, answerBytesMax });
      if (answer.kind !== 'body') return answer;
      const body = parseJson(answer.text);
      if (body === undefined) return { kind: 'silent', problem: `its answer is no JSON (HTTP ${answer.status})` };
      const parsed = workerStatusSchema.safeParse(body);
      if (parsed.success) return { kind: 'answers', status: parsed.data };
      const fields = parsed.error.issues.map(({ path }) => path.join('.') || 'it is no object').join(', ');
      return { kind: 'silent', problem: `its status breaks our expectations: ${fields}` };
    },

    /** Any answer in JSON says that it is up, a 503 or a 404 too; the image's tag is in it where GH was built with one (ghosthands §1.2). */
    async readApi(host: string): Promise<{ isUp: boolean; imageTag: string | null }> {
      const url = urlOf(host, 'api');
      if (url === null) return { isUp: false, imageTag: null };
      const answer = await send(`${url}/health/version`, { timeoutMs, answerBytesMax });
      const body = answer.kind === 'body' ? parseJson(answer.text) : undefined;
      const version = apiVersionSchema.safeParse(body);
      return { isUp: body !== undefined, imageTag: version.success ? version.data.image_tag : null };
    },

    /** What the API says of itself (ghosthands §1.2), which is more than that it answers; null: it gives no answer. */
    async readApiHealth(host: string): Promise<{ isWell: boolean; says: string } | null> {
      const url = urlOf(host, 'api');
      const answer = url === null ? null : await send(`${url}/health`, { timeoutMs, answerBytesMax });
      if (answer?.kind !== 'body') return null;
      const body = apiHealthSchema.safeParse(parseJson(answer.text));
      const word = body.success ? body.data.status : 'what is no health';
      return { isWell: answer.status === 200 && wellWords.includes(word), says: `answers ${answer.status}, ${word}` };
    },

    /** Any page of it, as it answers; a redirect is an answer, and is not followed. */
    async getPage(
      host: string,
      port: 'api' | 'worker',
      path: string,
      bounds: { timeoutMs: number; answerBytesMax: number } = { timeoutMs, answerBytesMax },
    ): Promise<HostPage> {
      const url = urlOf(host, port);
      return url === null ? { kind: 'silent', problem: `not an address: ${host}` } : await send(`${url}${path}`, bounds);
    },

    /** GH's own cancel of an attempt. `isTaken` when it says so; every GH known today answers 500 (ghosthands §1.4). */
    async askToCancel(host: string, attemptId: string): Promise<{ isTaken: boolean; detail: string }> {
      const url = urlOf(host, 'api');
      if (url === null) return { isTaken: false, detail: `not an address: ${host}` };
      if (serviceSecret === null) return { isTaken: false, detail: 'no GH_SERVICE_SECRET to ask with' };
      const headers = { 'x-gh-service-key': serviceSecret.unredacted() };
      const asked = `${url}/api/v1/gh/jobs/${encodeURIComponent(attemptId)}/cancel`;
      const answer = await send(asked, { method: 'POST', headers, timeoutMs, answerBytesMax });
      if (answer.kind === 'body') return { isTaken: answer.status >= 200 && answer.status < 300, detail: `answered ${answer.status}` };
      return { isTaken: false, detail: answer.kind === 'refused' ? 'refused the connection' : `silent: ${answer.problem}` };
    },
  };
};

/** GH's own, and what others call the same. */
const wellWords = ['ok', 'healthy'];

export type HostPage =
  { kind: 'body'; status: number; contentType: string | null; text: string } | { kind: 'refused' } | { kind: 'silent'; problem: string };

/** A fresh connection each time: a kept one could answer for a process that is gone. */
const send = async (
  url: string,
  {
    method = 'GET',
    headers = {},
    timeoutMs,
    answerBytesMax,
  }: { method?: 'GET' | 'POST'; headers?: Record<string, string>; timeoutMs: number; answerBytesMax: number },
): Promise<HostPage> =>
  await new Promise((resolve) => {
    const noHttp = (): void => resolve({ kind: 'silent', problem: problems.noHttp });
    const outgoing = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const { statusCode: status = 0 } = response;
      outgoing.off('close', noHttp);
      // A status that no final answer has, which nobody could pass on.
      if (status < 200 || status > 599) {
        noHttp();
        return void response.destroy();
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= answerBytesMax) chunks.push(chunk);
        else {
          resolve({ kind: 'silent', problem: `more than ${answerBytesMax} bytes` });
          response.destroy();
        }
      });
      response.on('end', () =>
        resolve({
          kind: 'body',
          status,
          contentType: findContentType(response.headers['content-type']),
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
      response.on('error', (error) => resolve({ kind: 'silent', problem: describeFailure(error, timeoutMs) }));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' ? { kind: 'refused' } : { kind: 'silent', problem: describeFailure(error, timeoutMs) }),
    );
    // Without an answer and without an error: it has changed to another protocol, unasked.
    outgoing.once('close', noHttp);
    outgoing.end();
  });

/** Null for what is none, which nobody could pass on either. */
const findContentType = (given: string | undefined): string | null =>
  given !== undefined && /^[\w.+-]+\/[\w.+-]+ *(;[\x20-\x7e]*)?$/.test(given) ? given : null;

const problems = { noHttp: 'its answer is no HTTP' };

/** For a person: it stands in alarms, in the fleet's report and in the answers of the proxy. */
const describeFailure = ({ code, message }: NodeJS.ErrnoException, timeoutMs: number): string => {
  if (code === 'ABORT_ERR') return `no whole answer within ${timeoutMs / 1_000} s`;
  if (code?.startsWith('HPE_') === true) return problems.noHttp;
  return failures[code ?? ''] ?? code ?? message;
};

const failures: Readonly<Record<string, string>> = {
  ECONNRESET: 'it broke the connection off',
  EHOSTUNREACH: 'no way leads to it',
  ENETUNREACH: 'no way leads to its network',
  ETIMEDOUT: 'no connection in time',
};
