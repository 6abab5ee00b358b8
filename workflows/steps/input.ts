import { ApplicationFailure, log } from '@temporalio/workflow';
import { failureTypes } from '../../src/contracts/errors';
import { parseFields, type FieldRules, type Parsed, type Shape } from '../../src/domain/field-rules';
import { parseStart } from '../../src/domain/workflow-inputs';

/**
 * The CLI and the Web UI start workflows too, with whatever was typed. What cannot be used fails the workflow at once, for the CLI to show; it would be
 * tried again for ever otherwise, and every later start would join the run that hangs.
 */
export const mustParse = <Needed extends FieldRules, Optional extends FieldRules>(
  shape: Shape<Needed, Optional>,
  given: unknown,
): Parsed<Needed, Optional> => {
  const parsed = parseStart(shape, given);
  if ('refusal' in parsed) throw invalidInput(parsed.refusal);
  return parsed.input;
};

/** What can be used of a signal, or null: then it has no effect. Nobody can refuse a signal, so the log says what is wrong with it. */
export const takeMessage = <Needed extends FieldRules, Optional extends FieldRules>(
  shape: Shape<Needed, Optional>,
  given: unknown,
): Parsed<Needed, Optional> | null => {
  const { input, problems } = parseFields(given, shape);
  if (problems.length > 0)
    log.warn(input === null ? 'A signal is ignored' : 'A part of a signal is ignored', { signal: shape.of, problems });
  return input;
};

export const invalidInput = (message: string): ApplicationFailure => ApplicationFailure.nonRetryable(message, failureTypes.invalidInput);
