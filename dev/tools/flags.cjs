// The flags of what `npm run` starts, for parseArgs of node:util, each with what it says about itself. The bootstrap reads them before anything is
// installed or compiled, which is why this is no TypeScript.

/** @param {number} value @param {string} says */
const port = (value, says) => /** @type {const} */ ({ type: 'string', default: String(value), value: 'PORT', says });

exports.benchParts = 'accept lifecycles waiting peers cancels streams assigning queue burst running sweeping'.split(' ');

exports.flags = /** @type {const} */ ({
  demo: {
    exit: { type: 'boolean', default: false, says: 'plays the story once, checks how every job and deploy ended, and exits 0 or 1' },
    fresh: { type: 'boolean', default: false, says: 'throws the state of the last run away' },
    dir: { type: 'string', default: '.yardmaster/demo', value: 'FOLDER', says: 'where the state is' },
    timeout: { type: 'string', default: '90', value: 'SECONDS', says: 'how long the jobs may take with --exit' },
    'stand-in': { type: 'boolean', default: false, says: "deploys with Kamal's stand-in, also where the real one could be had" },
    network: { type: 'string', default: '127.0.0', value: 'A.B.C', says: 'the loopback network of the simulated hosts' },
    'gateway-port': port(3080, 'of the gateway'),
    'product-port': port(3081, 'of the product that is told what happens'),
    'postgres-port': port(54329, 'of Postgres'),
    'temporal-port': port(7233, 'of Temporal'),
    'temporal-ui-port': port(8233, "of Temporal's Web UI"),
    'gateway-metrics-port': port(9464, 'of /metrics of the gateway'),
    'orchestrator-metrics-port': port(9465, 'of /metrics of the orchestrator'),
    'deployer-metrics-port': port(9466, 'of /metrics of the deployer'),
  },
  bench: {
    quick: { type: 'boolean', default: false, says: 'shows that everything still runs, with too few figures to judge by' },
    only: {
      type: 'string',
      multiple: true,
      value: 'PART',
      says: `${exports.benchParts.join(', ')}; may be repeated`,
    },
    check: { type: 'boolean', default: false, says: 'ends with 1 when a goal is missed' },
    json: { type: 'string', value: 'FILE', says: 'writes the figures there as well' },
    dir: { type: 'string', default: '.yardmaster/bench', value: 'FOLDER', says: 'where its databases are' },
  },
  stack: {
    fresh: { type: 'boolean', default: false, says: 'throws the state of the last run away' },
    dir: { type: 'string', default: '.yardmaster/stack', value: 'FOLDER', says: 'where the state is' },
    'postgres-port': port(0, 'of Postgres; 0 takes a free one'),
    'temporal-port': port(0, 'of Temporal'),
    'temporal-ui-port': port(0, "of Temporal's Web UI"),
  },
});
