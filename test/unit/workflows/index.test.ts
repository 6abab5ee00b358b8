import * as workflows from '../../../workflows';
import { workflowNames } from '../../../src/contracts/messages';

test('the gateway and the sweep start by a name exactly the workflows that an orchestrator runs', () => {
  expect(Object.keys(workflows).toSorted()).toEqual(Object.values(workflowNames).toSorted());
});

test('each workflow has its own name on the wire', () => {
  for (const [exported, workflow] of Object.entries(workflows)) expect(workflow).toHaveProperty('name', exported);
});
