// On a fresh clone Jest knows no durations and begins with the largest files; a story of a workflow is a long one whatever its size, and at the end it
// would run alone.
const { default: Sequencer } = require('@jest/test-sequencer');

const folders = ['/test/workflows/', '/test/integration/', '/test/browser/'];
const rankOf = ({ path }) => (folders.findIndex((folder) => path.includes(folder)) + folders.length + 1) % (folders.length + 1);

class SlowFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

module.exports = SlowFirst;
