/** Names that mean this in some files only: replaced in their code, never in a string or a comment. `when` looks at the text before any change. */
const testbed = /\b(StandInYard|KamalYard|DeployYard|StandInTestbed|KamalTestbed|DeployTestbed|withKamalYard|withKamalFixture)\b/;
const deployFixture = /\b(withDeployYard|withDeployFixture|DeployTestYard|DeployFixture)\b/;

const ofTestbeds = [
  'src/dev/',
  'test/deploys/',
  'test/support/kamal-fixture.ts',
  'test/support/kamal-sequence.ts',
  'test/support/deploy-run.ts',
  'test/support/deploy-kill-round.ts',
  'test/support/deploy-kills.ts',
  'test/support/deploy-evidence.ts',
  'test/support/test-deployer.ts',
  'test/integration/destinations.test.ts',
  'test/integration/kamal-stand-in.test.ts',
  'test/integration/grants.test.ts',
];

export const scoped = [
  // The string `DeployWord` names a schema of the OpenAPI document, which stays.
  { files: ['src/', 'test/'], names: { DeployWord: 'DeploySignalName' } },

  // yard
  { files: ofTestbeds, names: { yard: 'testbed' } },
  { files: ['test/'], not: [...ofTestbeds, 'test/support/deploy-fixture.ts'], when: new RegExp(`^(?![^]*${deployFixture.source})[^]*${testbed.source}`), names: { yard: 'testbed' } },
  { files: ['test/'], names: { yard: 'fixture', Yard: 'FleetFixture' } },
  { files: ['bench/'], names: { yard: 'fixture', Yard: 'BenchFixture' } },

  // faults
  { files: ['test/support/faults/'], names: { ground: 'fixture', played: 'result', play: 'inject' } },
  { files: ['test/support/fault-run.ts'], names: { ground: 'fixture', played: 'result', play: 'injectFault' }, allowTaken: ['ground'] },
  { files: ['test/support/faults/host-faults.ts'], names: { strike: 'injectInto', mend: 'repair' } },
  { files: ['test/support/deploy-kills.ts'], names: { strike: 'context' } },
  { files: ['test/support/deploy-kill-round.ts'], names: { Lane: 'HeldDeploy', lanes: 'heldDeploys', lane: 'heldDeploy' } },
  { files: ['test/support/deploy-run.ts'], names: { lane: 'network', FaultFixture: 'ProcessSettings' } },
  { files: ['src/dev/demo-deploys.ts'], names: { FaultFixture: 'PrepareOptions' } },
  { files: ['test/support/cancel-run.ts'], names: { lane: 'runner', lanes: 'runners', word: 'outcome' }, allowTaken: ['word'] },
  { files: ['test/integration/claims.test.ts'], names: { lane: 'runner' } },
  { files: ['activities/sweep/pass.ts'], names: { lane: 'runner', tell: 'notify', told: 'targets' } },
  { files: ['bench/measures/cancels.ts', 'bench/measures/lifecycles.ts', 'bench/run.ts'], names: { lane: 'runner', lanes: 'concurrency' } },
  { files: ['test/support/product-receiver.ts', 'test/support/control-plane.ts'], names: { mood: 'behaviour' } },

  // workflows
  { files: ['workflows/steps/inbox.ts', 'workflows/apply-job.ts', 'workflows/steps/job-commands.ts'], names: { Word: 'Message', word: 'message', words: 'messages' } },
  { files: ['workflows/steps/deploy-inbox.ts'], names: { word: 'message', wordsOf: 'textsOf', hear: 'receive' } },
  { files: ['workflows/kamal-deploy.ts'], names: { desk: 'inbox', word: 'message', note: 'takeMessage' } },
  { files: ['workflows/cancel-job.ts'], names: { look: 'refresh', told: 'notified' } },

  // activities
  { files: ['activities/sweep.ts', 'activities/sweep/'], names: { tell: 'notify', mend: 'repair', loose: 'orphaned', orphans: 'withoutRow', neglected: 'stalled', news: 'newFindings' } },
  { files: ['activities/cancel.ts', 'activities/worker-acts.ts', 'activities/exit-watch.ts'], names: { look: 'probePort', looks: 'probes', noted: 'updated', PortSeen: 'PortSnapshot' } },
  { files: ['activities/end-command.ts', 'src/gateway/commands/await-command.ts'], names: { note: 'update', noted: 'updated' } },
  { files: ['activities/destinations.ts'], names: { look: 'withKamal' } },
  { files: ['activities/deploy-preflight.ts'], names: { look: 'inspect' } },
  { files: ['activities/deploy-verify.ts'], names: { tell: 'describeVerdicts' } },
  { files: ['activities/deploy-checks.ts'], names: { told: 'lockCheck' } },
  { files: ['activities/deploy-drain.ts'], names: { told: 'logged' } },
  { files: ['activities/deploy-release.ts'], names: { told: 'descriptions' } },
  { files: ['activities/deploys.ts'], names: { told: 'by', word: 'message' }, allowTaken: ['word'] },
  { files: ['activities/deploy-lock.ts', 'activities/deploy-batches.ts'], names: { said: 'kamalAnswer' } },
  { files: ['activities/deploy-inspect.ts'], names: { said: 'reason' } },
  { files: ['activities/recycle.ts'], names: { said: 'lastOutput' } },

  // domain
  { files: ['src/domain/exit-proof.ts', 'src/domain/worker-drain.ts', 'test/unit/domain/exit-proof.test.ts'], names: { PortSeen: 'PortSnapshot', look: 'probe', looks: 'probes' } },
  { files: ['src/domain/registry-sweep.ts', 'activities/sweep/', 'test/unit/domain/registry-sweep.test.ts'], names: { PortSeen: 'PortFacts' } },
  { files: ['src/domain/person-command-outcome.ts'], names: { Said: 'PersonCommand', SaidTo: 'CommandedJob', said: 'command' } },
  { files: ['src/domain/new-findings.ts'], names: { told: 'known' } },
  { files: ['src/domain/callback-body.ts', 'test/unit/domain/callback-body.test.ts', 'src/domain/job-state.ts', 'src/db/callbacks.ts'], names: { word: 'status' }, allowTaken: ['word'] },
  { files: ['src/domain/fleet-config.ts', 'src/domain/sandbox-sync.ts'], names: { placed: 'matched' } },
  { files: ['src/db/located-workers.ts'], names: { placed: 'located' } },
  { files: ['src/domain/moving-tag.ts', 'src/kamal/registry.ts', 'test/unit/domain/moving-tag.test.ts'], names: { words: 'hints', word: 'hint', told: 'sent' } },

  // db
  { files: ['src/db/commands.ts'], names: { note: 'update' } },
  { files: ['src/db/live-attempts.ts'], names: { toSeen: 'toLiveAttempt' } },
  { files: ['src/db/worker-counts.ts', 'src/db/fleet.ts'], names: { workersSeen: 'withConditions' } },
  { files: ['src/db/workers.ts'], names: { said: 'answer' } },
  { files: ['src/db/late-overwrites.ts'], names: { words: 'statuses' } },
  { files: ['src/db/listen.ts'], names: { heard: 'received' } },
  { files: ['src/db/session-lock.ts'], names: { tell: 'logChange', told: 'logged' } },

  // gateway
  { files: ['src/gateway/deploys-client.ts'], names: { Looked: 'DeployerAnswer', Told: 'SignalResult', look: 'inspect', word: 'name', seen: 'answer' }, allowTaken: ['word'] },
  { files: ['src/gateway/deploys/inspect-destination.ts'], names: { Looked: 'DeployerAnswer', lookAt: 'inspectDestination', look: 'inspect', Seen: 'InspectionOf', looked: 'reply' } },
  { files: ['src/gateway/deploys/', 'src/gateway/compat/'], names: { lookAt: 'inspectDestination' } },
  { files: ['src/gateway/deploys/signal-deploy.ts'], names: { word: 'signal', told: 'sent', nobodyThere: 'workflowNotRunning' } },
  { files: ['src/gateway/routes/deploys.ts'], names: { word: 'signal' } },
  { files: ['src/gateway/compat/atm-kamal-status.ts'], names: { look: 'readState' } },
  { files: ['src/gateway/compat/valet-fleet.ts', 'src/gateway/routes/callbacks.ts'], names: { isHeard: 'isDelivered' } },
  { files: ['src/gateway/compat/valet-status.ts'], names: { said: 'why' } },
  { files: ['src/gateway/compat/monitoring.ts'], names: { words: 'statuses' } },
  { files: ['src/gateway/workflows-client.ts'], names: { Word: 'Payload', word: 'payload' } },
  { files: ['src/gateway/commands/person-commands.ts'], names: { told: 'sent', word: 'command' } , allowTaken: ['word'] },
  { files: ['src/gateway/sse/log-tails.ts'], names: { look: 'readMore' } },

  // the rest
  { files: ['src/process/stream-child.ts'], names: { tell: 'send' } },
  { files: ['src/kamal/session.ts'], names: { tell: 'emit' } },
  { files: ['src/process/supervisor.mjs'], names: { polite: 'graceful' } },
  { files: ['src/dev/kamal-stand-in/run.mjs'], names: { told: 'messages' } },
  { files: ['src/dev/chromium.ts'], names: { said: 'printed' } },
  { files: ['test/integration/resident-kamal.test.ts'], names: { look: 'readAll' } },
  { files: ['workers/serve-alone.ts', 'workers/deployer.ts', 'test/integration/serve-alone.test.ts'], names: { isHeard: 'isReachable', unheard: 'unreachable' } },
  { files: ['workers/refresh-destinations.ts'], names: { look: 'refreshOnce' } },
  { files: ['bench/instant-gh.ts', 'bench/measures/cancels.ts'], names: { heard: 'notified' } },
  { files: ['bench/faults/deploy-kills.ts'], names: { told: 'summary' } },

  // tests
  { files: ['test/support/import-rules.ts', 'test/architecture.test.ts'], names: { rooms: 'folders', Room: 'Folder', room: 'folder', roomOf: 'folderOf' } },
  { files: ['test/unit/workers/refresh-destinations.test.ts'], names: { look: 'onRefresh', looks: 'refreshes' } },
  {
    files: [
      'test/support/sweep-pass.ts',
      'test/integration/adoption.test.ts',
      'test/integration/silent-fleet.test.ts',
      'test/integration/sweep-deploys.test.ts',
      'test/integration/sweep-passes.test.ts',
      'test/integration/sweep-rules.test.ts',
    ],
    names: { told: 'notified', looked: 'dryPass', neglected: 'stalled' },
  },
  { files: ['test/support/sweep-pass.ts'], names: { said: 'answer' } },
  { files: ['test/integration/sweep-passes.test.ts'], names: { said: 'shown' } },
  { files: ['test/support/checker.ts'], names: { told: 'finalText' } },
  { files: ['test/support/fault-run.ts'], names: { told: 'violation' } },
  { files: ['test/unit/domain/deploy-drain.test.ts'], names: { told: 'description' } },
  { files: ['test/unit/gateway/frame.test.ts'], names: { told: 'sent' } },
  { files: ['test/integration/gateway-fleet.test.ts'], names: { looked: 'dryPass' } },
  { files: ['test/integration/atm-deploys.test.ts'], names: { told: 'answer' } },
  { files: ['test/browser/watch-deploys.test.ts'], names: { said: 'notice' } },
  { files: ['test/faults/demo.test.ts'], names: { said: 'printed' } },
  { files: ['test/integration/atm-dialect.test.ts'], names: { said: 'unreachable' } },
  { files: ['test/unit/dev/temporal-cli.test.ts'], names: { said: 'printed' } },
  { files: ['test/unit/domain/health.test.ts'], names: { said: 'registered' } },
  { files: ['test/integration/deploy-signals.test.ts'], names: { tell: 'signal' } },
  { files: ['test/support/command-model.ts'], names: { tell: 'ignoreLost', word: 'signal' } },
  { files: ['test/support/kamal-sequence.ts', 'test/integration/kamal-stand-in.test.ts', 'test/deploys/'], names: { says: 'prints' } },
  { files: ['test/workflows/resume-job.test.ts', 'test/workflows/routing.test.ts'], names: { looks: 'probes' } },
  { files: ['test/integration/worker-death.test.ts'], names: { looks: 'probes' } },
  { files: ['test/unit/domain/next-step-properties.test.ts'], names: { looks: 'steps' } },
  { files: ['test/integration/gateway-deploys.test.ts'], names: { looks: 'inspections', look: 'inspect' } },
  { files: ['test/support/gateway.ts'], names: { look: 'inspect' } },
  { files: ['test/integration/destinations.test.ts'], names: { look: 'inspect' } },
  { files: ['test/support/deploy-stories.ts'], names: { look: 'inspectionId' } },
  { files: ['test/support/deploy-fixture.ts', 'test/integration/deploy-cli-lines.test.ts', 'test/workflows/'], names: { look: 'getDeploy' }, allowTaken: ['look'] },
  { files: ['test/integration/callbacks.test.ts'], names: { words: 'statuses', neglected: 'stalled' } },
  { files: ['test/workflows/long-histories.test.ts'], names: { Word: 'Payload', word: 'payload' } },
  { files: ['test/support/house-rules.ts'], names: { word: 'name' }, allowTaken: ['word'] },
  { files: ['test/support/kill-run.ts'], names: { word: 'signal', words: 'signals', spoken: 'sent' } },
];
