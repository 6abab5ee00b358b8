import { Counter, Histogram } from 'prom-client';
import type { Observation, Observe } from '../contracts/observations';
import type { Metrics } from '.';

/** A claim takes milliseconds, a wait for a worker up to four hours. */
const waitBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60, 300, 900, 3_600, 14_400];
/** An application takes minutes, a review up to a day. */
const runBuckets = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400];
/** A pass should take a second; its workflow's time is two minutes. */
const passBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

export type CommandEnded = Extract<Observation, { of: 'command' }>;

/** Cancels and resumes end in an orchestrator, a person's retry or resolve in a gateway. */
export const createCommandCounter = (metrics: Metrics): ((ended: CommandEnded) => void) => {
  const commands = new Counter({
    name: 'yardmaster_commands_ended_total',
    help: 'Commands that ended, by where they went and what came of them.',
    labelNames: ['kind', 'route', 'outcome'],
    registers: [metrics.registry],
  });
  return ({ kind, route, outcome }) => commands.inc({ kind, route, outcome });
};

/** What this process did, counted from its start on; a scraper adds up the processes. */
export const createWorkMetrics = (metrics: Metrics): Observe => {
  const registers = [metrics.registry];
  const states = new Counter({
    name: 'yardmaster_job_states_total',
    help: 'Changes of state that workflows wrote, by the state entered; accepting and assigning are in the waits.',
    labelNames: ['state'],
    registers,
  });
  const waits = {
    worker: new Histogram({
      name: 'yardmaster_job_wait_seconds',
      help: 'From accepted to the first assigning, known when a worker claims.',
      buckets: waitBuckets,
      registers,
    }),
    claim: new Histogram({
      name: 'yardmaster_claim_wait_seconds',
      help: 'From assigned to the claim of its worker.',
      buckets: waitBuckets,
      registers,
    }),
  };
  const attempts = new Counter({
    name: 'yardmaster_attempts_ended_total',
    help: 'Attempts that ended, by how.',
    labelNames: ['end'],
    registers,
  });
  const runs = new Histogram({
    name: 'yardmaster_attempt_run_seconds',
    help: 'From the claim of an attempt to its end, waits for a human included.',
    labelNames: ['end'],
    buckets: runBuckets,
    registers,
  });
  const observeCommand = createCommandCounter(metrics);
  const rowCommands = new Counter({
    name: 'yardmaster_row_commands_total',
    help: 'Commands that neighbours wrote into public rows, past the gateway, by what became of them.',
    labelNames: ['kind', 'taken'],
    registers,
  });
  const callbacks = new Counter({
    name: 'yardmaster_callbacks_settled_total',
    help: 'Callbacks to the product that need no further try, by how.',
    labelNames: ['settled_as'],
    registers,
  });
  const findings = new Counter({
    name: 'yardmaster_sweep_findings_total',
    help: 'What passes of the sweep found, by the name of the finding.',
    labelNames: ['finding'],
    registers,
  });
  const passes = new Histogram({
    name: 'yardmaster_sweep_pass_seconds',
    help: 'How long a pass of the sweep took.',
    buckets: passBuckets,
    registers,
  });

  return (seen: Observation): void => {
    switch (seen.of) {
      case 'state':
        return states.inc({ state: seen.state });
      case 'wait':
        return waits[seen.wait].observe(seen.seconds);
      case 'attempt':
        attempts.inc({ end: seen.end });
        if (seen.seconds !== null) runs.observe({ end: seen.end }, seen.seconds);
        return;
      case 'command':
        return observeCommand(seen);
      case 'row_command':
        return rowCommands.inc({ kind: seen.kind, taken: seen.taken });
      case 'callback':
        return callbacks.inc({ settled_as: seen.settledAs });
      case 'sweep':
        passes.observe(seen.seconds);
        for (const [finding, count] of Object.entries(seen.counts)) findings.inc({ finding }, count);
    }
  };
};
