export { applyJob } from './apply-job';
export { deliverCallbacks } from './deliver-callbacks';
export { workerCleanup } from './worker-cleanup';
