import { findKamal } from '../../src/dev/kamal-yard/kamal-binary';
import { requireKamalYard } from '../../src/dev/kamal-yard/prerequisites';
import globalSetup = require('./global-setup');

/** Where something is missing the run ends before its first test, with one message that names the packages. */
async function deploysSetup(): Promise<void> {
  requireKamalYard();
  await findKamal({ say: (line) => process.stderr.write(`${line}\n`) });
  await globalSetup();
}

export = deploysSetup;
