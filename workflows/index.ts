export { applyJob } from './apply-job';
export { breakDeployLock } from './break-deploy-lock';
export { cancelJob } from './cancel-job';
export { deliverCallbacks } from './deliver-callbacks';
export { kamalDeploy } from './kamal-deploy';
export { lookAtDestination } from './look-at-destination';
export { resumeJob } from './resume-job';
export { workerCleanup } from './worker-cleanup';
