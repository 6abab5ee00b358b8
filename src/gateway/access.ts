import type { EndpointName } from './endpoints';

/** Whose key it is; `worker` is a GH worker that calls back with the service secret. */
export type Role = 'product' | 'operator' | 'deployer' | 'read_only' | 'worker';

const everyone = ['product', 'operator', 'deployer', 'read_only'] as const;
/** Who operates jobs may watch a deploy, but not run one; the product has no business with them. */
const deployReaders = ['operator', 'deployer', 'read_only'] as const;

/** Which roles may use which endpoint. An endpoint without a line here does not compile. */
export const access: Readonly<Record<EndpointName, readonly Role[] | 'public'>> = {
  submitJob: ['product', 'operator'],
  listJobs: everyone,
  getJob: everyone,
  cancelJob: ['product', 'operator'],
  resumeJob: ['product', 'operator'],
  retryJob: ['product', 'operator'],
  resolveJob: ['product', 'operator'],
  listCommands: everyone,
  getCommand: everyone,
  listAudit: ['operator'],
  redeliverCallback: ['product', 'operator'],
  receiveCallback: ['worker'],
  pause: ['operator'],
  unpause: ['operator'],
  holdHost: ['operator', 'deployer'],
  releaseHost: ['operator', 'deployer'],
  sweepFleet: ['operator'],
  getFleet: everyone,
  listWorkers: everyone,
  getWorker: everyone,
  drainWorker: ['operator', 'deployer'],
  getDrain: everyone,
  releaseWorker: ['operator', 'deployer'],
  recycleWorker: ['operator'],
  getRecycle: everyone,
  placeDeploy: ['deployer'],
  listDeploys: deployReaders,
  getDeploy: deployReaders,
  approveDeploy: ['deployer'],
  rejectDeploy: ['deployer'],
  cancelDeploy: ['deployer'],
  streamDeployLog: deployReaders,
  getDeployLog: deployReaders,
  listDestinations: deployReaders,
  breakDeployLock: ['deployer'],
  signIn: everyone,
  getSession: everyone,
  signOut: 'public',
  watchDeploy: 'public',
  watchScript: 'public',
  watchStyle: 'public',
  deployKamal: ['deployer'],
  rollbackKamal: ['deployer'],
  streamNewestDeploy: deployReaders,
  listDeployRecords: deployReaders,
  getDeployRecord: deployReaders,
  kamalStatus: deployReaders,
  kamalValidate: deployReaders,
  kamalAudit: deployReaders,
  kamalHosts: deployReaders,
  drainGraceful: ['deployer'],
  livez: 'public',
  readyz: 'public',
  openapi: 'public',
  docs: 'public',
  docsStyle: 'public',
  submitApplication: ['product'],
  submitTask: ['product'],
  getApplicationStatus: ['product', 'operator', 'read_only'],
  cancelApplication: ['product', 'operator'],
  retryApplication: ['product', 'operator'],
  resumeApplication: ['product', 'operator'],
  // Open at GH too (ghosthands §1.1), and asked by VALET's start-up check without a key.
  listModels: 'public',
  health: 'public',
  machine: 'public',
};

/** What ATM itself answers to anybody (atm §1.4); here only where the setting ATM_OPEN_READS wants it. */
export const openAtAtm: readonly EndpointName[] = [
  'streamNewestDeploy',
  'listDeployRecords',
  'getDeployRecord',
  'kamalStatus',
  'kamalValidate',
  'kamalAudit',
  'kamalHosts',
];
