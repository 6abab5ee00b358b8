/**
 * Every timeout, interval, batch size and cap, with its unit in the name and its reason beside it. Code receives a `Limits` value, so that
 * tests and the demo can shorten what people wait for without touching the rules.
 */
export const limits = {
  /** A process that starts while its database cannot be used asks again so often. */
  databaseWaitMs: 1_000,
  /** Without LISTEN, as behind a transaction pooler, polling is all there is. */
  degradedPollMs: 5_000,
  /** A change calls the assigner; what calls nobody (a hold that runs out, a heart that beats again) it finds by looking. */
  assignEveryMs: 1_000,
  /** An assigner that is gone, or stands still, is replaced after this long. */
  assignLeaseMs: 3_000,
  /** A pairing is milliseconds; one without an answer after this long never gets one, and its connection is given up. */
  assignMs: 10_000,
  /** One constant bounds the wait for a worker, for acceptance and expiry alike: VALET's queue uses the same 14,400 s (atm §6). */
  waitForWorkerMs: 14_400_000,
  /** From assigning to the claim. GH polls every 5 s when a NOTIFY is lost, and a worker may still be closing its last browser. */
  claimMs: 20_000,
  /** A worker that did not claim is left out for this long, unless its process restarts meanwhile. */
  deafWorkerMs: 120_000,
  /** GH gives each run of the handler `timeout_seconds`, runs it up to three times, and starts the browser outside of it (ghosthands §5.2). */
  handlerRunsMax: 3,
  attemptStartMs: 300_000,
  /** GH waits 300 s for a person, fixed (ghosthands §6.1); the grace lets its own verdict arrive first. */
  blockerMs: 300_000,
  blockerGraceMs: 20_000,
  /** A filled form waits for its submit button; GH itself would wait for ever (ghosthands §5.5). */
  reviewMs: 24 * 3_600_000,
  /** How long a possible submission waits for a person's decision. */
  uncertainMs: 7 * 24 * 3_600_000,
  /** The whole job, whatever it waits for, `uncertain` excepted. */
  jobMs: 36 * 3_600_000,
  /** GH beats every 10 s on the job row; three missed beats are worth an examination, no verdict. */
  attemptSilentMs: 30_000,
  /** A silent attempt whose owner can be proven neither dead nor alive becomes `uncertain`. */
  unprovenMs: 300_000,
  /** The longest that GH works on an attempt: three runs of an hour at most, and the start of its browser (ghosthands §5.2). */
  orphanedSilentMs: 11_100_000,
  /** How long a doubt may rest before its owner is examined again. */
  doubtRecheckMs: 5_000,
  /** GH's registry beat is 30 s; three missed beats and nothing is assigned. */
  workerHeartbeatFreshMs: 90_000,
  /** GH's own reaper takes 5 min, and its clean-up of one address 2 min (ghosthands §2.3). */
  workerSilentMs: 300_000,
  workerReplacedMs: 120_000,
  /** The status port is probed every 10 s; an answer older than this assigns nothing. */
  probeFreshMs: 35_000,
  probeTimeoutMs: 2_000,
  /** What /readyz and /health have found is everybody's answer for so long: a crowd of monitors costs one check a second. */
  readinessKeptMs: 1_000,
  /** Questions that wait, two sockets each: 1,500 hosts that are all silent take as long as `probingMs`. */
  probesAtOnce: 256,
  /** After this long a pass asks no further host; those left are asked first by the next one. It may ask twice, and has 90 s for everything. */
  probingMs: 12_000,
  /** Calls to Temporal of one pass. */
  hintsAtOnce: 32,
  /** GH's answers are a few hundred bytes; a host that sends more is cut off. */
  probeAnswerBytesMax: 65_536,
  /** Two restarts of one clock never lie closer than this; below it a difference of start times is jitter. */
  processStartJitterMs: 2_000,
  /** A start is examined as the earliest possible one, so only a clock that was put right lies between it and the claim. */
  ownerStartJitterMs: 100,
  /** From its first claim to its bound port a process of GH needs a moment; five seconds are enough for a slow machine. */
  portBoundMs: 5_000,
  /** GH's process is gone 1.0 s after its cancel listener (ghosthands §7.2); a slow machine gets four times as long. */
  exitProofMs: 4_000,
  exitProbeEveryMs: 100,
  /** From the first try to saying "unconfirmed"; the tries go on. */
  cancelConfirmMs: 60_000,
  cancelRetryFirstMs: 2_000,
  cancelRetryMaxMs: 30_000,
  /** GH takes a resume within 20 ms, or 2 s where it polls (ghosthands §6.2). */
  resumeTakenMs: 15_000,
  /** What a resume carried is plain text in the row until it is scrubbed. */
  resumeScrubMs: 5_000,
  /** Two beats of the row after a resume: a worker that took it and stopped is a zombie (ghosthands §6.3). */
  resumeProofMs: 25_000,
  /** GH's heartbeat must be younger than this for a resume to find somebody waiting (ghosthands §6.2). */
  resumeFreshMs: 30_000,
  secretLifeMs: 300_000,
  /** An open command untouched for this long has no workflow. */
  commandUntouchedMs: 60_000,
  /** How long a drain waits for a worker's job: half an hour by itself, the four hours that a job may wait for a worker at most. */
  drainMs: 1_800_000,
  drainMaxMs: 14_400_000,
  /** A drain checks after a tenth of the time that it has waited, so that a long one does not fill a history. */
  drainLookFirstMs: 1_000,
  drainLookMaxMs: 60_000,
  /** A drain says at its deadline how it ended, at most a check and its retries later. So long after it, its workflow was terminated or never came. */
  drainLostMs: 120_000,
  /**
   * A neighbour that drains a worker restarts it soon, which ends the drain at GH (atm §2.3), and has no word for a release: its hold ends by itself after
   * the longest drain.
   */
  foreignDrainHoldMs: 14_400_000,
  /** A recycle that was broken off must not keep its worker from jobs for good. */
  recycleHoldMs: 900_000,
  /** A wait that was left behind may be just ending: GH writes its events beside the row (ghosthands §6.1). */
  leftWaiterSettleMs: 2_000,
  /** GH's own start: 9 s on a quiet machine, a minute on a busy one (ghosthands §2.1). */
  freshWorkerMs: 120_000,
  freshWorkerEveryMs: 250,
  /** A recycle of ours that did not help is repeated, each time later; each leaves two lines in the audit. */
  releaseRetryFirstMs: 10_000,
  releaseRetryMaxMs: 1_800_000,
  /** What the product deregisters it terminates within minutes; GH's next heartbeat would bring it back (ghosthands §1.4). */
  deregisterHoldMs: 3_600_000,
  /** A check asks a machine or two; one that hangs is as good as one that fails. */
  recycleCheckMs: 20_000,
  recycleCheckEveryMs: 300_000,
  /** How often a deployer is asked whether it can recycle: rarely where it can, soon where a person may be repairing it. */
  recycleAskEveryMs: 600_000,
  recycleAskAgainMs: 60_000,
  /** A cancel of the workflow reaches the deployer in a heartbeat's reply. */
  recycleHeartbeatMs: 1_000,
  /** From SIGTERM to SIGKILL of a command that hangs: ssh ends at once, so this is for what it started. */
  commandKillAfterMs: 3_000,
  /** Of each stream of a command; its end is kept. */
  commandOutputBytesMax: 65_536,
  /** A longer line of a deploy's log comes in parts: no table, page or browser likes a line of megabytes. */
  logLineCharsMax: 16_384,
  retryBackoffFirstMs: 5_000,
  retryBackoffMaxMs: 60_000,
  /** VALET writes `queued` unguarded after our 201, so a faster `running` would be overwritten (valet §2.3). */
  firstCallbackDelayMs: 2_000,
  callbackTimeoutMs: 10_000,
  callbackLeaseMs: 30_000,
  callbackBackoffFirstMs: 1_000,
  callbackBackoffMaxMs: 900_000,
  callbackGiveUpMs: 24 * 3_600_000,
  /** A product that asks for more quiet than this is asked again all the same: its clock may be wrong, and an end must not come a day late. */
  callbackRetryAfterMaxMs: 3_600_000,
  /** A worker whose callbacks were refused, and that has sent none that was taken since, is named for so long: it may have had no job meanwhile. */
  callbackRefusedMs: 24 * 3_600_000,
  callbackAnswerBytesMax: 65_536,
  /** An ended job delivers its last callbacks itself for this long, then hands them to `deliverCallbacks`. */
  callbackDrainMs: 10_000,
  /** Sweep: every pass looks at this many rows of each kind at most, and says so when there were more. */
  sweepBatchRows: 500,
  /** … and starts so many accepted jobs, the eldest first: after a burst, or an hour without Temporal, the queue is as long as it was, and its head is what matters. */
  sweepStartsMax: 64,
  sweepEveryMs: 10_000,
  /** Every third pass applies every rule; half a pass early, so that a late clock does not cost a fourth. */
  sweepFullEveryMs: 25_000,
  /** For so long the sweep stands still at most when somebody has deleted its schedule. */
  scheduleCheckEveryMs: 30_000,
  /** Workers, hosts and live attempts are few, and all of them are looked at; beyond this the report says that some were not. */
  fleetRowsMax: 20_000,
  /** A heartbeat further ahead of the database's clock than this comes from a wrong clock. */
  clockSkewMs: 60_000,
  /** GH closes its browser within seconds of a job's end; a worker that is busy with that job after this long is stuck. */
  busyAfterEndMs: 120_000,
  /** The public row of an ended job is compared when it is 1, 2, 4 … 2^11 min old: a day and a half, beyond VALET's slowest monitor (valet §3.1). */
  overwriteWindows: 12,
  /** Width of each of those windows: two full passes, so that a missed one loses nothing. */
  overwriteWindowMs: 70_000,
  /** What a resume left in a row for this long was left by a command that died. */
  credentialsLeftMs: 30_000,
  /** GH's own resume writes its last statement a moment after the one that notifies (ghosthands §1.4): a row is looked at again then. */
  rowSettlesMs: 400,
  /** What a row says for so long after a resume was taken from it still belongs to that one. */
  rowResumeEchoMs: 10_000,
  /** A set-up that sends commands past us is an alarm for so long after the last one. */
  aroundAlarmMs: 3_600_000,
  /** How long a request waits for a dry run of the sweep. */
  sweepWaitMs: 25_000,
  /** A live row that nobody touched for this long gets its workflow started again (a no-op when it runs). */
  untouchedMs: 600_000,
  /** A job that waits for a worker, or for a person, is checked so often without any news: at most 168 times in the week that an uncertain one rests. */
  restRecheckMs: 3_600_000,
  /** An accepted row without a workflow: the gateway was cut off between its commit and its start. */
  unstartedMs: 3_000,
  /** VALET fails a task whose job row has been silent for 5 min (valet §3.1), staging recovers it after 120 s (ghosthands §2.5). */
  mirrorBeatMs: 30_000,
  retentionMs: 30 * 24 * 3_600_000,
  /** A pool of clients at work uses each of its connections within a second or two; whoever is silent for longer opens a new one elsewhere. */
  drainIdleMs: 2_000,
  /** Beyond this a call to Temporal counts as an outage: the row is the promise, the answer is 202. */
  temporalCallMs: 800,
  /** Jobs that a gateway has Temporal start at once; whose turn does not come in an eighth of `temporalCallMs` is answered with 202 too. An idle server starts a hundred a second. */
  startsAtOnce: 2,
  /** How often a request that waits looks at its command: an outcome is seen a tenth of a second late, for one read of a row. */
  commandPollMs: 100,
  commandWaitSecondsDefault: 2,
  commandWaitSecondsMax: 30,
  /** VALET's client gives up after 15 s, and takes any success for done (valet §1.1, valet §1.3): a refusal should still reach it. */
  productCommandWaitMs: 10_000,
  /** What a job's own page shows of its commands; GET /v1/jobs/:jobId/commands has the others. */
  lastCommandsShown: 10,
  /** A deployer takes a question within milliseconds, however busy it is; beyond this nobody polls its queue, and the caller is told so. */
  deployerPickupMs: 5_000,
  /** One of 2,000 tags is found in a registry that is far away and needs a token first. */
  inspectVersionMs: 30_000,
  /** Kamal starts (1 s), and asks each host over SSH. */
  inspectHostsMs: 45_000,
  /** Kamal starts and goes to the primary host. */
  breakLockMs: 30_000,
  /** A working day: a browser that was left open in the evening has to sign in the next morning. */
  sessionLifeMs: 12 * 3_600_000,
  /** One page of a log: 500 readers that stand still with one in their hands hold 32 MB. */
  logPageRows: 500,
  logPageBytes: 65_536,
  /** Pages that readers who catch up read at once, of the gateway's 10 connections. */
  logPagesAtOnce: 3,
  /** What a live log keeps in memory for all its readers: some seconds of a flood. */
  logTailBytes: 524_288,
  /** Lines that come within this time are read, and sent, together; half of it is what a line waits at most in the middle. */
  logGatherMs: 15,
  /** How late a line is when its notification was lost. */
  logPollMs: 1_000,
  /** A reader costs a socket and some kB; beyond this another gateway is due. */
  logReadersMax: 2_000,
  /** Of one key, or of one address without: three others still find a place. */
  logReadersOfOneMax: 500,
  /** Proxies cut what is silent for 30 to 60 s; ATM's own server after 252 s (atm §1.5). */
  streamHeartbeatMs: 15_000,
  /** A reader that takes nothing for so long loses its place, and goes on when it comes back. */
  streamStalledMs: 600_000,
  /** What a browser is told to wait before it connects again. */
  streamRetryMs: 2_000,
  /** How long a deploy's hosts stay held when nobody prolongs it: a deployer that is away for less loses no host to a new job. */
  deployHoldMs: 600_000,
  deployHoldRenewMs: 30_000,
  /** A machine that has been silent for longer is none that a deploy has left out: it is gone. */
  deployAwayMs: 24 * 3_600_000,
  /** The server takes a deployer for gone after 10 s without a beat. */
  deployBeatMs: 2_000,
  /** `lock`, `version`, `app version`: 1–2 s with two hosts (kamal §6.1); a host that is down takes as long as ssh's own timeout. */
  kamalQuickMs: 120_000,
  /** `build pull` and `deploy` of a large image over a slow line. */
  kamalStepMs: 1_800_000,
  /** `config` takes a second (kamal §6.1), and what their ERB runs; whoever posts a deploy waits for it. */
  kamalConfigMs: 20_000,
  /** What their ERB has read besides the two files may be another thing by then. */
  kamalConfigFreshMs: 600_000,
  /** Twice ATM's deploy_timeout of 120 s, during which Kamal says nothing: longer silence is a prompt that nobody answers (kamal §5). */
  kamalSilentMs: 300_000,
  /** From INT to KILL of a Kamal and what it started. Promise 7 gives 10 s for all of it. */
  kamalKillAfterMs: 6_000,
  /** GH registers within seconds of its start, three tries at most 6 s apart (ghosthands §2.3); a cold host takes its time before. */
  deployVerifyMs: 90_000,
  deployVerifyEveryMs: 1_000,
  deploySoakEveryMs: 5_000,
  /** How often jobs are looked for while a host drains: an end is seen this late. */
  deployDrainEveryMs: 1_000,
  /** How often a deploy looks at a lock that somebody else has; each look is an ssh. */
  deployLockEveryMs: 10_000,
  /** Of the way back and the release of the lock, before a person is called: an ssh that was cut off works again by then, or not at all. */
  deployCompensateTries: 5,
  deployCompensateRetryMs: 5_000,
  /** Free space that an image needs on a host, compressed and unpacked (GH's image is about 2 GB). */
  deployDiskFreeMb: 2_048,
  deployLogBatchLines: 500,
  /** Lines that wait while Postgres is away; beyond them the child waits too. */
  deployLogWaitingLines: 10_000,
  deployLogWaitingBytes: 8_388_608,
  deployLogRetryMs: 500,
  /** A deploy under way is touched by every beat of its step; without a step it waits for an approval, which the sweep's start finds running. */
  deployUntouchedMs: 60_000,
  /** Two connections of the deployer hold the place of the active one: it is tried so often, and proven so often. */
  deployerLockEveryMs: 1_000,
  destinationsEveryMs: 180_000,
  /** ATM waits so long for a machine that it passes a page of (atm §1.3); a page is no download. */
  proxyTimeoutMs: 10_000,
  proxyAnswerBytesMax: 1_048_576,
  requestBodyBytesMax: 262_144,
  pageRowsDefault: 50,
  pageRowsMax: 200,
} as const;

/**
 * What a workflow lives by comes from its first step as data, since workflow code reads no settings and a history must keep what it began with. These are
 * the values of histories that are older than that.
 */
export const limitsBeforeData = {
  callbackDrainMs: 10_000,
  cancelRetryFirstMs: 2_000,
  cancelRetryMaxMs: 30_000,
  resumeTakenMs: 15_000,
  resumeScrubMs: 5_000,
  resumeProofMs: 25_000,
  drainLookFirstMs: 1_000,
  drainLookMaxMs: 60_000,
} as const satisfies Partial<Limits>;

/** Those of them that the first step of one workflow answers with; a recorded answer may lack them. */
export type WorkflowLimits<Name extends keyof typeof limitsBeforeData> = { limits?: Pick<Limits, Name> };

export type Limits = { readonly [K in keyof typeof limits]: number };
