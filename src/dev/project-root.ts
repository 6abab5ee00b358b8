export { projectRoot } from '../project-root';
