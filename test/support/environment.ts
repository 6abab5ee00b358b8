import type { JestEnvironmentConfig, EnvironmentContext } from '@jest/environment';
import type { Circus } from '@jest/types';
import { TestEnvironment } from 'jest-environment-node';

/**
 * Lets `afterAll` know whether a test of the file failed, which Jest itself does not tell: evidence is kept only then. And closes in the reverse order of
 * opening: Jest's own order would drop the database under the processes that still use it.
 */
class ServersEnvironment extends TestEnvironment {
  constructor(config: JestEnvironmentConfig, context: EnvironmentContext) {
    super(config, context);
    this.global.hasFailedTest = false;
  }

  handleTestEvent(event: Circus.Event, state: Circus.State): void {
    if (event.name === 'run_start') closeInReverse(state.rootDescribeBlock);
    if (event.name === 'hook_failure' || (event.name === 'test_done' && event.test.errors.length > 0)) this.global.hasFailedTest = true;
  }
}

const closeInReverse = (block: Circus.DescribeBlock): void => {
  const isClosing = ({ type }: Circus.Hook): boolean => type === 'afterAll';
  block.hooks = [...block.hooks.filter((hook) => !isClosing(hook)), ...block.hooks.filter(isClosing).toReversed()];
  for (const child of block.children) if (child.type === 'describeBlock') closeInReverse(child);
};

export = ServersEnvironment;
