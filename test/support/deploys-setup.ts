import { findKamal } from '../../dev/kamal/testbed/kamal-binary';
import { requireKamalTestbed } from '../../dev/kamal/testbed/prerequisites';
import globalSetup = require('./global-setup');

/** Where something is missing the run ends before its first test, with one message that names the packages. */
async function deploysSetup(): Promise<void> {
  requireKamalTestbed();
  await findKamal({ say: (line) => process.stderr.write(`${line}\n`) });
  await globalSetup();
}

export = deploysSetup;
