import { randomUUID } from 'node:crypto';
import { listActiveSandboxes, repairSandboxes } from '../../src/db/fleet/sandboxes';
import { withFleetFixture } from '../support/fleet-fixture';

describe('the sandboxes of the product', () => {
  const fixture = withFleetFixture({ hosts: 1 });

  const addSandbox = async (more: { instanceId: string; address: string; health: string; status?: string }): Promise<string> => {
    const id = randomUUID();
    await fixture.pool.query(
      `insert into sandboxes (id, name, environment, instance_id, instance_type, public_ip, status, health_status, ec2_status, capacity)
       values ($1, 'a test', 'dev', $2, 't3.large', $3, $4::sandbox_status, $5::sandbox_health_status, 'running', 7)`,
      [id, more.instanceId, more.address, more.status ?? 'active', more.health],
    );
    return id;
  };
  const read = async (id: string): Promise<Record<string, unknown>> =>
    (await fixture.pool.query<Record<string, unknown>>('select * from sandboxes where id = $1', [id])).rows[0] ?? {};
  const lastItems = async (): Promise<{ finding: string; subject: string }[]> =>
    (
      await fixture.pool.query<{ items: { finding: string; subject: string }[] }>(
        'select items from yardmaster.sweep_report order by sweep_id desc limit 1',
      )
    ).rows[0]?.items ?? [];

  beforeEach(async () => await fixture.pool.query('delete from sandboxes'));

  test('tell the truth after a pass of the sweep, and nothing else of them is written', async () => {
    const { rows } = await fixture.pool.query<{ worker_id: string; ec2_ip: string; ec2_instance_id: string }>(
      'select worker_id, ec2_ip, ec2_instance_id from gh_worker_registry',
    );
    const registered = rows[0];
    const wrong = await addSandbox({
      instanceId: registered?.ec2_instance_id ?? '',
      address: registered?.ec2_ip ?? '',
      health: 'unhealthy',
    });
    const empty = await addSandbox({ instanceId: 'i-nobody', address: '10.9.9.9', health: 'healthy' });
    const stopped = await addSandbox({ instanceId: 'i-stopped', address: '10.9.9.8', health: 'healthy', status: 'stopped' });
    const before = await read(wrong);
    await fixture.sweep();

    expect(await read(wrong)).toEqual({ ...before, health_status: 'healthy', last_health_check_at: expect.any(Date) });
    expect(await read(empty)).toMatchObject({ health_status: 'healthy', last_health_check_at: null });
    expect(await read(stopped)).toMatchObject({ health_status: 'healthy', last_health_check_at: null });
    const items = await lastItems();
    expect(items).toContainEqual(expect.objectContaining({ finding: 'sandbox_repaired', subject: wrong }));
    expect(items).toContainEqual(expect.objectContaining({ finding: 'sandbox_without_worker', subject: empty }));
    expect(items.map(({ subject }) => subject)).not.toContain(stopped);

    // What is true is not written again.
    const checkedAt = (await read(wrong))['last_health_check_at'];
    await fixture.sweep();
    expect((await read(wrong))['last_health_check_at']).toEqual(checkedAt);
  });

  test('that have other columns than we know keep no pass from its work', async () => {
    await fixture.pool.query('alter table sandboxes rename column ec2_status to power');
    try {
      await fixture.sweep();
      expect(await lastItems()).not.toContainEqual(expect.objectContaining({ finding: 'sandbox_repaired' }));
    } finally {
      await fixture.pool.query('alter table sandboxes rename column power to ec2_status');
    }
  });

  test('are left alone when somebody else put them right meanwhile, or stopped them', async () => {
    const right = await addSandbox({ instanceId: 'i-1', address: '10.0.0.1', health: 'degraded' });
    const stopped = await addSandbox({ instanceId: 'i-2', address: '10.0.0.2', health: 'healthy', status: 'stopping' });
    expect(await listActiveSandboxes(fixture.pool)).toEqual([
      { sandboxId: right, instanceId: 'i-1', address: '10.0.0.1', health: 'degraded' },
    ]);
    const repairs = [right, stopped].map((sandboxId) => ({ sandboxId, health: 'degraded' as const }));
    expect(await repairSandboxes(fixture.pool, repairs)).toBe(0);
  });
});
