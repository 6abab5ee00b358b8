import { anything, array, constant, constantFrom, dictionary, jsonValue, oneof, string, type Arbitrary } from 'fast-check';
import type { Client } from '@temporalio/client';
import { makeUnreadable } from '../../src/contracts/unreadable';
import type { Shape } from '../../src/domain/field-rules';
import { messageShapes, starts } from '../../src/domain/workflow-inputs';

/** What the CLI, the Web UI and other people's programs may send, most of it wrong in a way that was seen. */

export const shapes: readonly Shape[] = [...Object.values<Shape>(starts), ...Object.values<Shape>(messageShapes)];

const someId = 'a3bb189e-8bf9-4c4c-9d1e-1a2b3c4d5e6f';

/** With what nobody can store: NUL, and halves of surrogate pairs. */
const wildText = string({
  unit: oneof(constantFrom('\0', '\uD83D', '\uDE00', '😀', '"', 'ä'), string({ minLength: 1, maxLength: 3 })),
  maxLength: 40,
});
const nearly = constantFrom<unknown>(
  ...['tuesday', 'ten minutes', 'true', '', someId, someId.toUpperCase(), `${someId}\n`, `${someId}\0`, 'staging', 'v1', 'state', 'manual'],
  ...[1.5, -1, 0, 1, 2 ** 31, 2 ** 53, Infinity, NaN, true, false, null, undefined, [], {}, new Uint8Array(2), makeUnreadable('no')],
);
const leaf: Arbitrary<unknown> = oneof(nearly, wildText, jsonValue(), anything({ maxDepth: 2 }));
const fieldNames = [...new Set(shapes.flatMap(({ needed, optional }) => [...Object.keys(needed), ...Object.keys(optional)]))];

export const typed: Arbitrary<unknown> = oneof(
  { weight: 5, arbitrary: dictionary(oneof(constantFrom(...fieldNames), wildText, constant('__proto__')), leaf, { maxKeys: 8 }) },
  leaf,
  array(leaf, { maxLength: 3 }),
);

/** A payload as it goes over the wire, in an encoding that may be anything. */
export interface RawPayload {
  encoding: string;
  text: string;
}
export const unreadable: readonly RawPayload[] = [
  { encoding: 'binary/mystery', text: '{"reason":"closed"}' },
  { encoding: 'json/protobuf', text: '{}' },
  { encoding: 'json/plain', text: '{"reason":' },
  { encoding: 'json/plain', text: '['.repeat(200_000) },
  { encoding: '', text: '' },
];

const toPayloads = ({ encoding, text }: RawPayload): { payloads: { metadata: Record<string, Uint8Array>; data: Uint8Array }[] } => ({
  payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(text) }],
});

const workflowOf = ({ options: { namespace } }: Client, workflowId: string) => ({ namespace, workflowExecution: { workflowId } });

export const signalRaw = async (client: Client, workflowId: string, signalName: string, payload: RawPayload): Promise<void> => {
  await client.workflowService.signalWorkflowExecution({ ...workflowOf(client, workflowId), signalName, input: toPayloads(payload) });
};

export const queryRaw = async (client: Client, workflowId: string, queryType: string, payload: RawPayload): Promise<string> => {
  const { namespace, workflowExecution: execution } = workflowOf(client, workflowId);
  const { queryResult } = await client.workflowService.queryWorkflow({
    namespace,
    execution,
    query: { queryType, queryArgs: toPayloads(payload) },
  });
  return Buffer.from(queryResult?.payloads?.[0]?.data ?? '').toString();
};

export const startRaw = async (
  client: Client,
  { workflowType, workflowId, taskQueue }: { workflowType: string; workflowId: string; taskQueue: string },
  payload: RawPayload,
): Promise<void> => {
  await client.workflowService.startWorkflowExecution({
    namespace: client.options.namespace,
    workflowId,
    workflowType: { name: workflowType },
    taskQueue: { name: taskQueue },
    input: toPayloads(payload),
    requestId: workflowId,
  });
};
