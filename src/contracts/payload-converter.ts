import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { decode } from '@temporalio/common/lib/encoding';
import { makeUnreadable } from './unreadable';

/** Names of encodings are short, and somebody else has typed this one. */
const encodingCharsMax = 60;

/**
 * Temporal's own converter, but for what it cannot read: that is marked and left to the border that gets it, which refuses a start and ignores a signal.
 * Workers, the bundle of the workflows and our clients all have it. The SDK wants it under this name.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload(payload, context, hint) {
    try {
      return defaultPayloadConverter.fromPayload(payload, context, hint);
    } catch {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Who takes input from outside asks for the mark first.
      return makeUnreadable(`${nameOf(payload)} cannot be read here: send JSON, in the encoding json/plain`) as never;
    }
  },
};

const nameOf = ({ metadata }: Payload): string => {
  const encoding = metadata?.['encoding'];
  return encoding === undefined || encoding === null
    ? 'a payload without an encoding'
    : `its encoding ${JSON.stringify(decode(encoding).slice(0, encodingCharsMax))}`;
};
