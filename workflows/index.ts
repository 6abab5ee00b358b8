export { applyJob } from './apply-job';
export { cancelJob } from './cancel-job';
export { deliverCallbacks } from './deliver-callbacks';
export { resumeJob } from './resume-job';
export { workerCleanup } from './worker-cleanup';
