import { z } from 'zod';
import { parseJson } from '../domain/json';

/** GH's list of models for the product's forms. */
export interface ModelsReader {
  read(): Promise<Models>;
}

const modelsSchema = z.object({
  models: z.array(z.object({ model: z.string(), provider: z.string() }).loose()),
  presets: z.array(z.object({ name: z.string() }).loose()).default([]),
  default: z.string().nullable().default(null),
});

export type Models = z.output<typeof modelsSchema> & { total: number };

/** The catalogue changes with GH's version; between deploys every host gives the same. */
const keptMs = 60_000;
const hostsTried = 3;

/** Asks the hosts whose API answered last, one after the other. An empty list when none does: the product must get JSON. */
export const createModelsReader = ({
  listHosts,
  addressMap,
  timeoutMs,
  answerBytesMax,
}: {
  listHosts: (most: number) => Promise<string[]>;
  addressMap: Readonly<Record<string, { api: string }>>;
  timeoutMs: number;
  answerBytesMax: number;
}): ModelsReader => {
  let kept: { models: Models; until: number } | null = null;
  return {
    async read() {
      if (kept !== null && kept.until > Date.now()) return kept.models;
      for (const host of await listHosts(hostsTried)) {
        const text = await readText(`${apiUrlOf(host, addressMap)}/api/v1/gh/models`, { timeoutMs, answerBytesMax });
        const answer = modelsSchema.safeParse(parseJson(text));
        if (!answer.success) continue;
        const models = { ...answer.data, total: answer.data.models.length };
        kept = { models, until: Date.now() + keptMs };
        return models;
      }
      return kept?.models ?? { models: [], presets: [], default: null, total: 0 };
    },
  };
};

/** Hosts come from answered probes, so they are addresses. */
const apiUrlOf = (host: string, addressMap: Readonly<Record<string, { api: string }>>): string =>
  addressMap[host]?.api ?? `http://${host.includes(':') ? `[${host}]` : host}:3100`;

/** Empty when there is no usable answer: the next host is asked. */
const readText = async (url: string, { timeoutMs, answerBytesMax }: { timeoutMs: number; answerBytesMax: number }): Promise<string> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > answerBytesMax) return '';
      chunks.push(chunk);
    }
    return response.ok ? Buffer.concat(chunks).toString('utf8') : '';
  } catch {
    // Gone, silent or cut off.
    return '';
  }
};
