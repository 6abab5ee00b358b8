import { request } from 'node:http';
import { isIP } from 'node:net';
import { workerStatusSchema } from '../contracts/ghosthands';

/** Where a host's two ports are; without an entry they are the true ones of its address, 3100 and 3101. */
export type HostAddressMap = Readonly<Record<string, { api: string; worker: string }>>;

type WorkerPortAnswer =
  { kind: 'answers'; status: ReturnType<typeof workerStatusSchema.parse> } | { kind: 'refused' } | { kind: 'silent'; problem: string };

/** Reads GH hosts, each answer bounded in time and size. It never commands one. */
export const createHostReader = ({
  addressMap,
  timeoutMs,
  answerBytesMax,
}: {
  addressMap: HostAddressMap;
  timeoutMs: number;
  answerBytesMax: number;
}) => {
  const urlOf = (host: string, port: 'api' | 'worker'): string | null => {
    const mapped = addressMap[host]?.[port];
    if (mapped !== undefined) return mapped;
    // Registries hold `unknown`, `local` and worse (ghosthands §5).
    const family = isIP(host);
    if (family === 0) return null;
    return `http://${family === 6 ? `[${host}]` : host}:${port === 'api' ? 3100 : 3101}`;
  };

  return {
    /** `refused` proves that nothing listens on a machine that is there; everything unusable is `silent`. */
    async readWorkerPort(host: string): Promise<WorkerPortAnswer> {
      const url = urlOf(host, 'worker');
      if (url === null) return { kind: 'silent', problem: `not an address: ${host}` };
      const answer = await get(`${url}/worker/status`, { timeoutMs, answerBytesMax });
      if (answer.kind !== 'body') return answer;
      const parsed = workerStatusSchema.safeParse(parseJson(answer.text));
      return parsed.success
        ? { kind: 'answers', status: parsed.data }
        : {
            kind: 'silent',
            problem: `its status breaks our expectations: ${parsed.error.issues.map(({ path }) => path.join('.')).join(', ')}`,
          };
    },

    /** A 503 with a JSON body is an answer: `/health` of a busy host says so. */
    async isApiUp(host: string): Promise<boolean> {
      const url = urlOf(host, 'api');
      if (url === null) return false;
      const answer = await get(`${url}/health`, { timeoutMs, answerBytesMax });
      return answer.kind === 'body' && parseJson(answer.text) !== undefined;
    },
  };
};

type Answer = { kind: 'body'; text: string } | { kind: 'refused' } | { kind: 'silent'; problem: string };

/** A fresh connection each time: a kept one could answer for a process that is gone. */
const get = async (url: string, { timeoutMs, answerBytesMax }: { timeoutMs: number; answerBytesMax: number }): Promise<Answer> =>
  await new Promise((resolve) => {
    const outgoing = request(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
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
      response.on('end', () => resolve({ kind: 'body', text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', (error) => resolve({ kind: 'silent', problem: error.message }));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' ? { kind: 'refused' } : { kind: 'silent', problem: error.code ?? error.message }),
    );
    outgoing.end();
  });

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // HTML from a proxy, or a cut-off body: no answer of GH.
    return undefined;
  }
};
