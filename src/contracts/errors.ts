/** The catalogue of public errors: every problem+json names one of these codes, and docs/errors.md is generated from it. */
export const problems = {
  malformed: { status: 400, title: 'The request cannot be read', meaning: 'Not JSON, or a path, query or cursor that cannot be parsed.' },
  unauthorized: {
    status: 401,
    title: 'No valid key',
    meaning:
      "The key is missing or unknown. Send it as X-API-Key or Authorization: Bearer; on the product's paths also as X-GH-Service-Key.",
  },
  forbidden: { status: 403, title: 'The key may not do this', meaning: 'The key is known, its role does not include this act.' },
  not_found: { status: 404, title: 'Nothing here', meaning: 'No such path.' },
  method_not_allowed: { status: 405, title: 'Not with this method', meaning: 'The path exists; the header Allow names its methods.' },
  worker_not_found: { status: 404, title: 'No such worker', meaning: 'No registered worker has that id.' },
  host_not_found: {
    status: 404,
    title: 'No such machine',
    meaning: 'Neither the registry nor the configuration of the fleet knows that id.',
  },
  worker_busy: {
    status: 409,
    title: 'The worker has a job',
    meaning: 'The detail names it. Wait for its end or cancel it; or repeat with `force: true`, which interrupts it.',
  },
  job_not_found: { status: 404, title: 'No such job', meaning: 'The id is well-formed, no job has it.' },
  command_not_found: { status: 404, title: 'No such command', meaning: 'The id is well-formed, no command has it.' },
  callback_not_found: { status: 404, title: 'No such callback', meaning: 'That job has no callback of that generation and number.' },
  idempotency_conflict: {
    status: 409,
    title: 'The key was used for another request',
    meaning: 'The same Idempotency-Key came with a different request. Use a new key, or repeat the first request.',
  },
  job_state_conflict: {
    status: 409,
    title: 'The job is in another state',
    meaning: 'The state of the job does not allow this act; the answer names the state.',
  },
  confirmation_needed: {
    status: 409,
    title: 'It may already be submitted',
    meaning: 'Another try could submit the form twice. Check first, then repeat with `confirm: true`.',
  },
  command_under_way: {
    status: 409,
    title: 'The same command is under way',
    meaning: 'The detail names it. Wait for its end, then repeat if it is still wanted.',
  },
  deploy_not_found: { status: 404, title: 'No such deploy', meaning: 'The id is well-formed, no deploy has it.' },
  destination_not_found: { status: 404, title: 'No such destination', meaning: 'The deployer knows no destination of that name.' },
  deploy_under_way: {
    status: 409,
    title: 'A deploy is under way',
    meaning: 'One deploy of a service and destination runs at a time; the detail names it, who started it and since when.',
  },
  deploy_state_conflict: {
    status: 409,
    title: 'The deploy is in another state',
    meaning: 'The phase of the deploy does not allow this act; the answer names the phase.',
  },
  too_large: { status: 413, title: 'The body is too large', meaning: 'The limit is in the detail.' },
  unsupported_media_type: { status: 415, title: 'Not JSON', meaning: 'Send Content-Type: application/json.' },
  invalid: { status: 422, title: 'The request is not valid', meaning: 'Each invalid field is named in `errors`.' },
  too_many_requests: { status: 429, title: 'Too many requests', meaning: 'Wait for the seconds in Retry-After.' },
  not_taken_over: {
    status: 501,
    title: 'Not ours',
    meaning: 'A path of ATM that Yardmaster does not take over; the detail says what there is instead.',
  },
  host_unreachable: {
    status: 502,
    title: 'The machine does not answer',
    meaning: 'It was asked on behalf of the caller and gave no usable answer in time.',
  },
  internal: { status: 500, title: 'Our fault', meaning: 'The request id finds the reason in the log.' },
  no_deployer: {
    status: 503,
    title: 'No deployer answers',
    meaning: 'The process that runs Kamal does not take work at the moment. Nothing was started.',
  },
  too_many_readers: {
    status: 503,
    title: 'Too many readers',
    meaning: 'This gateway streams to as many readers as it may. Repeat after Retry-After, or use another gateway.',
  },
  secrets_key_missing: {
    status: 503,
    title: 'Secrets cannot be kept here',
    meaning: 'A code or a password is only taken where SECRETS_KEY is set, since it is never stored as plain text. Nothing was written.',
  },
  unavailable: {
    status: 503,
    title: 'Not available at the moment',
    meaning: 'Postgres or Temporal does not answer, or Postgres takes no writes. Repeat after Retry-After; nothing was lost.',
  },
} as const;

export type ProblemCode = keyof typeof problems;

const isProblemCode = (name: string): name is ProblemCode => name in problems;
export const problemCodes: readonly ProblemCode[] = Object.keys(problems).filter(isProblemCode);

/** Types of permanent failures inside workflows and activities (ApplicationFailure.type); everything else is retried. */
export const failureTypes = {
  jobNotFound: 'JobNotFound',
  workerNotFound: 'WorkerNotFound',
  notOwner: 'NotOwner',
  invalidInput: 'InvalidInput',
  deployUnderWay: 'DeployUnderWay',
  deployNotFound: 'DeployNotFound',
  /** Retried by the next deployer: this one shuts down. */
  deployerDrains: 'DeployerDrains',
  /** Postgres can never store what the step would write: a value that its type does not take, or a rule of the table. */
  refusedByDatabase: 'RefusedByDatabase',
  /** Another run of the same step writes now. */
  overtaken: 'Overtaken',
} as const;
