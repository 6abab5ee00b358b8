// What each command does to the hosts, and in which order it says so.
import { appCommands } from './app.mjs';
import { deploy, rollback } from './boot.mjs';
import { requireSecrets } from './config.mjs';
import { listing } from './containers.mjs';
import { loginCommand, pull } from './pull.mjs';

/** By their words. `needs`: what the command line parser asks for. */
export const commands = {
  version: {},
  config: {
    run({ output, config }) {
      const { raw, roles, hosts, primaryHost, version, repository, service } = config;
      output.print('---');
      output.print(`:roles:\n${roles.map(({ name }) => `- ${name}`).join('\n')}`);
      output.print(`:hosts:\n${hosts.map((host) => `- ${scalar(host)}`).join('\n')}`);
      output.print(
        `:primary_host: ${scalar(primaryHost)}\n:version: ${version}\n:repository: ${repository}\n:absolute_image: ${repository}:${version}`,
      );
      output.print(`:service_with_version: ${service}-${version}`);
      output.print(`:ssh_options:\n  :user: ${raw.ssh?.user ?? 'root'}\n  :port: ${raw.ssh?.port ?? 22}\n`);
    },
  },
  'lock status': {
    run({ lock, output }) {
      const details = lock.read();
      if (details === null) output.say('There is no deploy lock');
      else output.print(details);
    },
  },
  'lock acquire': {
    needs: 'message',
    async run({ lock, output, options }) {
      if (!(await lock.take(options.message))) lock.refuse();
      output.say('Acquired the deploy lock');
    },
  },
  'lock release': {
    /** Anybody's. */
    run({ lock, output }) {
      const isHeld = lock.read() !== null;
      if (isHeld) lock.drop();
      output.say(isHeld ? 'Released the deploy lock' : 'There is no deploy lock');
    },
  },
  'build pull': { run: pull },
  'registry login': {
    async run(run) {
      requireSecrets(run.config);
      await run.onHosts(run.hosts, async (machine) => await run.remote(machine, loginCommand(run)));
    },
  },
  audit: {
    async run(run) {
      await run.onHosts(run.hosts, async (machine) => {
        const name = `.kamal/${run.config.service}-${run.config.destination}-audit.log`;
        const lines = await run.remote(machine, `tail -n 50 ${name}`, () => machine.readAudit().join('\n'));
        listing(run, machine, lines);
      });
    },
  },
  'server exec': {
    async run(run) {
      const command = run.args.join(' ');
      run.output.say(`Running '${command}' on ${run.hosts.join(', ')}...`);
      await run.onHosts(run.hosts, async (machine) => {
        const answer = await run.remote(machine, command, () => (/^df /.test(command) ? diskFree : ''));
        run.audit(machine, `Executed cmd '${command}' on server`);
        listing(run, machine, answer);
      });
    },
  },
  ...appCommands,
  deploy: { run: deploy },
  redeploy: { run: deploy },
  rollback: { needs: 'version', run: rollback },
};

/** As Ruby writes it. */
const scalar = (text) => (text.startsWith(':') ? JSON.stringify(text) : text);

const diskFree = [
  'Filesystem     1024-blocks      Used Available Capacity Mounted on',
  '/dev/vda         263174212  13631488  83886080      15% /',
].join('\n');
