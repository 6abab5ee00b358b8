import { allHandlersFinished, CancellationScope, condition, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import type { CommandView } from '../src/contracts/command';
import { limitsBeforeData } from '../src/contracts/limits';
import { commandQuery, jobMovedSignal, type ResumeJobInput } from '../src/contracts/messages';
import { outcomes } from '../src/domain/command-outcome';
import { parseFields } from '../src/domain/field-rules';
import { starts } from '../src/domain/workflow-inputs';
import { deliverResume, takeStep, tellJob } from './options';
import { invalidInput, mustParse } from './steps/input';
import { showCommand } from './steps/show-command';

/**
 * One resume of a worker that waits for a person: routed to the process that waits, delivered by SQL, scrubbed from the row after five seconds, and
 * proven: a worker that took it and then stands still is a zombie, whose job is recovered.
 */
export async function resumeJob(given: ResumeJobInput): Promise<CommandView> {
  refuseSecrets(given);
  const input = mustParse(starts.resumeJob, given);
  return await CancellationScope.nonCancellable(async () => await resume(input));
}

const resume = async (input: ResumeJobInput): Promise<CommandView> => {
  let hasMoved = false;
  let shown: CommandView | null = null;
  setHandler(jobMovedSignal, () => void (hasMoved = true), { description: 'The job has moved: look at its rows' });
  setHandler(commandQuery, () => shown, { description: 'The command as its row says' });
  const finish = async (command: CommandView): Promise<CommandView> => {
    showCommand((shown = command));
    await condition(allHandlersFinished);
    return command;
  };

  const { limits: answered, ...command } = await takeStep(
    'openResume',
    { ...input, source: input.source ?? (workflowInfo().parent === undefined ? 'temporal' : 'signal') },
    'Write the command',
  );
  showCommand((shown = command));
  if (command.endedAt !== null) return await finish(command);
  const { commandId, jobId } = command;
  const { resumeTakenMs, resumeScrubMs, resumeProofMs } = { ...limitsBeforeData, ...answered };

  const route = await takeStep('routeResume', { commandId }, 'Where does it go?');
  if (route.route === 'parked' || route.route === 'row') {
    await tellJob({ jobId, wake: { reason: 'owner_gone', examineOwner: true } });
    return await finish(
      await takeStep(
        'endResume',
        { commandId, outcome: 'refused', detail: `${route.reason}: the job is being recovered instead` },
        'Say what came of it',
      ),
    );
  }
  const delivery = await deliverResume({ commandId, route });
  if (delivery !== null && 'outcome' in delivery)
    return await finish(await takeStep('endResume', { commandId, ...delivery }, 'Say what came of it'));
  if (delivery === null) {
    await tellJob({ jobId, wake: { reason: 'nobody_waits', examineOwner: true } });
    return await finish(
      await takeStep(
        'endResume',
        { commandId, outcome: 'refused', detail: 'Nobody waits at that row any more, or its worker is silent: the job looks again' },
        'Say what came of it',
      ),
    );
  }

  // Scrubbed in any case and at its time, whatever the proof still waits for.
  const scrubbed = sleep(resumeScrubMs).then(
    async () => await takeStep('scrubResume', { attemptId: delivery.attemptId }, 'Take the secret out of the row'),
  );
  const isTaken = await waitFor(
    async () => {
      // Once read it is old: otherwise every pause from here on would be over at once.
      hasMoved = false;
      return (await takeStep('traceResume', delivery, 'Did it take it?')) !== 'waiting';
    },
    resumeTakenMs,
    () => hasMoved,
  );
  if (isTaken) {
    showCommand((shown = await takeStep('noteResumed', { commandId }, 'The worker took it')));
    await tellJob({ jobId, wake: { reason: 'resumed' } });
  }
  const isMoving =
    isTaken &&
    (await waitFor(
      async () => (await takeStep('traceResume', delivery, 'Did it take it?')) === 'moving',
      resumeProofMs,
      () => false,
    ));
  await scrubbed;
  if (isMoving)
    return await finish(
      await takeStep('endResume', { commandId, outcome: 'resumed', detail: outcomes.resumed.words }, 'Say what came of it'),
    );
  await tellJob({ jobId, wake: { reason: 'zombie', examineOwner: true } });
  return await finish(await takeStep('endResume', { commandId, outcome: 'zombie', detail: outcomes.zombie.words }, 'Say what came of it'));
};

/** Looks a few times, more rarely as time goes on: a handful of events rather than one each second. */
const waitFor = async (isTrue: () => Promise<boolean>, withinMs: number, isWorthChecking: () => boolean): Promise<boolean> => {
  const deadline = Date.now() + withinMs;
  for (let pauseMs = 250; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
    await condition(isWorthChecking, pauseMs, { summary: 'Has the worker taken it, and does it go on?' });
    if (await isTrue()) return true;
    if (Date.now() >= deadline) return false;
  }
};

/** Histories are kept and shared: a secret that came into one is refused, and not repeated in the refusal. */
const refuseSecrets = (given: unknown): void => {
  const { unknown } = parseFields(given, starts.resumeJob);
  if (unknown.length === 0) return;
  throw invalidInput(
    `A resume takes no ${unknown.join(', ')} here: send codes and passwords over REST (POST /v1/jobs/:jobId/resume), and change what this history now holds`,
  );
};
