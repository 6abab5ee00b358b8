import type { JestEnvironmentConfig, EnvironmentContext } from '@jest/environment';
import type { Circus } from '@jest/types';
import { TestEnvironment } from 'jest-environment-node';

/** Lets `afterAll` know whether a test of the file failed, which Jest itself does not tell: evidence is kept only then. */
class EnvironmentThatKnowsFailures extends TestEnvironment {
  constructor(config: JestEnvironmentConfig, context: EnvironmentContext) {
    super(config, context);
    this.global.hasFailedTest = false;
  }

  handleTestEvent(event: Circus.Event): void {
    if (event.name === 'hook_failure' || (event.name === 'test_done' && event.test.errors.length > 0)) this.global.hasFailedTest = true;
  }
}

export = EnvironmentThatKnowsFailures;
