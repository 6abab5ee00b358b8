// The lane's own account of its time, so that whoever makes it longer sees it. Jest loads reporters untransformed.
const path = require('node:path');

const slowestShown = 5;

class LaneReport {
  onRunComplete(_contexts, { testResults, numTotalTests, startTime }) {
    // One file by itself needs no account.
    if (testResults.length < 2) return;
    const seconds = (ms) => (ms / 1_000).toFixed(0);
    // What `npm test` began with: the install and the compiler, where they had something to do.
    const before = process.env.LANE_STARTED_AT ? startTime - Number(process.env.LANE_STARTED_AT) : 0;
    const slowest = testResults
      .map(({ testFilePath, perfStats }) => ({ file: path.relative(process.cwd(), testFilePath), ms: perfStats.runtime }))
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, slowestShown);
    const lines = [
      `${numTotalTests} tests in ${testResults.length} files: ${seconds(Date.now() - startTime)} s, after ${seconds(before)} s of preparation`,
      ...slowest.map(({ file, ms }) => `${seconds(ms).padStart(5)} s  ${file}`),
    ];
    process.stderr.write(`\n${lines.join('\n')}\n`);
  }
}

module.exports = LaneReport;
