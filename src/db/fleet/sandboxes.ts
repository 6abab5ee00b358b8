import { isInstance } from '../../domain/host-address';
import type { Sandbox, SandboxHealth } from '../../domain/sandbox-sync';
import type { MachineSandbox } from '../../domain/way-around';
import type { Queryable } from '../queryable';

/**
 * The instance id behind a sandbox id: VALET names its sandboxes where GH means workers (valet §1.2). Null for any other id, and where the
 * product's table is not in this database.
 */
export const findInstanceOfSandbox = async (db: Queryable, sandboxId: string): Promise<string | null> => {
  if (!(await hasSandboxes(db))) return null;
  const { rows } = await db.query<{ instance_id: string }>(
    `select yardmaster.machine_name(instance_id) as instance_id from sandboxes where id = $1::uuid`,
    [sandboxId],
  );
  return rows[0]?.instance_id ?? null;
};

/** The product's own address of a machine; null where its table is not in this database, or knows none. */
export const findSandboxAddress = async (db: Queryable, instanceId: string | null): Promise<string | null> => {
  if (!isInstance(instanceId) || !(await hasSandboxes(db))) return null;
  const { rows } = await db.query<{ address: string }>(
    `select yardmaster.machine_name(public_ip) as address from sandboxes where yardmaster.machine_name(instance_id) = $1 and public_ip is not null and status = 'active'`,
    [instanceId],
  );
  return rows[0]?.address ?? null;
};

/** The sandboxes whose machine should run; none where the product's table is not in this database. */
export const listActiveSandboxes = async (db: Queryable): Promise<Sandbox[]> => {
  if (!(await hasSandboxes(db))) return [];
  const { rows } = await db.query<Sandbox>(
    `select id as "sandboxId", yardmaster.machine_name(instance_id) as "instanceId", yardmaster.machine_name(public_ip) as address, health_status::text as health
     from sandboxes where status = 'active' and (ec2_status is null or ec2_status in ('pending', 'running')) order by id`,
  );
  return rows;
};

/** How VALET finds each machine that should run and has an address: through us where its sandbox has an ATM id (valet §1.5). */
export const listMachineSandboxes = async (db: Queryable): Promise<MachineSandbox[]> => {
  if (!(await hasSandboxes(db))) return [];
  const { rows } = await db.query<MachineSandbox>(
    `select id as "sandboxId", yardmaster.machine_name(public_ip) as address, coalesce(tags ->> 'atm_fleet_id', '') <> '' as "hasFleetId"
     from sandboxes where status = 'active' and machine_type = 'ec2' and public_ip is not null order by id`,
  );
  return rows;
};

/** Writes health and the moment of the check, and no other column; a row that somebody else put right meanwhile stays as it is. */
export const repairSandboxes = async (db: Queryable, repairs: readonly { sandboxId: string; health: SandboxHealth }[]): Promise<number> => {
  const { rowCount } = await db.query(
    `update sandboxes s set health_status = r.health::sandbox_health_status, last_health_check_at = now()
     from jsonb_to_recordset($1::jsonb) as r("sandboxId" uuid, health text)
     where s.id = r."sandboxId" and s.status = 'active' and s.health_status <> r.health::sandbox_health_status`,
    [JSON.stringify(repairs)],
  );
  return rowCount ?? 0;
};

const hasSandboxes = async (db: Queryable): Promise<boolean> => {
  const { rows } = await db.query<{ exists: boolean }>(`select to_regclass('sandboxes') is not null as exists`);
  return rows[0]?.exists === true;
};
