/** Old path → new path. No move changes how deep a file is, so the imports of the moved files stay as they are. */
export const moves = {
  'workflows/steps/deploy-desk.ts': 'workflows/steps/deploy-inbox.ts',

  'activities/deploy-looks.ts': 'activities/deploy-inspect.ts',
  'activities/deploy-back.ts': 'activities/deploy-compensate.ts',

  'src/db/loose-attempts.ts': 'src/db/orphaned-attempts.ts',
  'src/db/neglected.ts': 'src/db/stalled-work.ts',
  'src/db/neglected-deploys.ts': 'src/db/stalled-deploys.ts',
  'src/db/placed-workers.ts': 'src/db/located-workers.ts',
  'src/domain/loose-attempt.ts': 'src/domain/orphaned-attempt.ts',
  'src/domain/said-outcome.ts': 'src/domain/person-command-outcome.ts',
  'src/domain/sweep-news.ts': 'src/domain/new-findings.ts',
  'src/gateway/commands/person-words.ts': 'src/gateway/commands/person-commands.ts',
  'src/gateway/deploys/look.ts': 'src/gateway/deploys/inspect-destination.ts',
  'src/gateway/deploys/see-destinations.ts': 'src/gateway/deploys/read-destinations.ts',
  'src/gateway/deploys/tell-deploy.ts': 'src/gateway/deploys/signal-deploy.ts',

  'src/dev/deploy-yard.ts': 'src/dev/deploy-testbed.ts',
  'src/dev/kamal-stand-in/stand-in-yard.ts': 'src/dev/kamal-stand-in/stand-in-testbed.ts',
  'src/dev/kamal-yard/kamal-yard.ts': 'src/dev/kamal-testbed/kamal-testbed.ts',
  'src/dev/kamal-yard/yard-addresses.ts': 'src/dev/kamal-testbed/testbed-addresses.ts',
  'src/dev/kamal-yard/yard-host.ts': 'src/dev/kamal-testbed/testbed-host.ts',
  'src/dev/kamal-yard/yard-images.ts': 'src/dev/kamal-testbed/testbed-images.ts',
  'src/dev/kamal-yard/yard-registry.ts': 'src/dev/kamal-testbed/testbed-registry.ts',

  'test/support/yard.ts': 'test/support/fleet-fixture.ts',
  'test/support/deploy-yard.ts': 'test/support/deploy-fixture.ts',
  'test/support/kamal-yard.ts': 'test/support/kamal-fixture.ts',
  'test/support/faults/ground.ts': 'test/support/faults/fault-fixture.ts',
  'test/support/faults/yard-faults.ts': 'test/support/faults/system-faults.ts',
  'test/deploys/kamal-yard.test.ts': 'test/deploys/kamal-testbed.test.ts',
  'test/integration/deploy-words.test.ts': 'test/integration/deploy-signals.test.ts',
  'test/integration/probe-said-since.test.ts': 'test/integration/probe-unchanged-since.test.ts',
  'test/unit/domain/loose-attempt.test.ts': 'test/unit/domain/orphaned-attempt.test.ts',
  'test/unit/domain/said-outcome.test.ts': 'test/unit/domain/person-command-outcome.test.ts',
  'test/unit/domain/sweep-news.test.ts': 'test/unit/domain/new-findings.test.ts',

  'bench/yard.ts': 'bench/bench-fixture.ts',
};

/** Whatever else is in these folders goes along. */
export const folderMoves = {
  'src/dev/kamal-yard': 'src/dev/kamal-testbed',
};
