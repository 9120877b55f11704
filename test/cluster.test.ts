/**
 * A Citus cluster of which a node is down. There is none here: a plain PostgreSQL has stand-ins for the tables and functions of Citus
 * that the service asks, found first through the search path. A refusal of a node that is down is imitated by a trigger or a view.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { openStore } from '../src/compose/store.ts'
import { readConfig } from '../src/config.ts'
import { StoreError } from '../src/model/errors.ts'
import { createPostgresLedger } from '../src/store/postgres/ledger.ts'
import { type Running, startService } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import type { Schemas } from './wire-types.ts'

let server: PostgresServer
before(async () => {
  server = await startPostgres()
})
after(() => server[Symbol.asyncDispose]())

/** Node 1 is the coordinator, to which the service is connected. */
const STAND_INS = `
  CREATE SCHEMA stand_in;
  SET search_path = public, stand_in, pg_catalog;
  CREATE VIEW stand_in.pg_extension AS SELECT 'citus'::name AS extname;
  CREATE VIEW stand_in.pg_dist_partition AS SELECT to_regclass('organization') AS logicalrelid;
  CREATE TABLE stand_in.pg_dist_local_group AS SELECT 0 AS groupid;
  CREATE TABLE stand_in.pg_dist_node AS
    SELECT nodeid, nodeid - 1 AS groupid, 'node-' || nodeid AS nodename, 5432 AS nodeport, 'primary' AS noderole,
      true AS isactive, 'up' AS state
    FROM generate_series(1, 3) AS nodeid;
  CREATE FUNCTION stand_in.citus_check_connection_to_node(name text, port integer) RETURNS boolean LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_sleep(60) FROM stand_in.pg_dist_node WHERE nodename = name AND state = 'hangs';
    RETURN EXISTS (SELECT FROM stand_in.pg_dist_node WHERE nodename = name AND nodeport = port AND state = 'up');
  END $$;

  CREATE FUNCTION stand_in.accept() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (SELECT FROM stand_in.pg_dist_node WHERE state <> 'up') THEN
      RAISE 'connection to the remote node failed' USING ERRCODE = '58000';
    END IF;
    RETURN new;
  END $$;
  CREATE TRIGGER accept BEFORE INSERT OR UPDATE ON installation FOR EACH ROW EXECUTE FUNCTION stand_in.accept();`

/** Node 3 has the organization `default`. */
const DEFAULT_ON_NODE_3 = `
  CREATE FUNCTION stand_in.answers() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
  BEGIN
    IF EXISTS (SELECT FROM stand_in.pg_dist_node WHERE nodeid = 3 AND state <> 'up') THEN
      RAISE 'connection to the remote node failed' USING ERRCODE = '58000';
    END IF;
    RETURN true;
  END $$;
  ALTER TABLE organization RENAME TO organization_of_node;
  CREATE VIEW organization AS
    SELECT * FROM organization_of_node WHERE organization_id <> 'default' OR stand_in.answers()`

const createCluster = async () => {
  const url = await server.createDatabase()
  await (await createPostgresLedger({ url, poolSize: 1 })).close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const name = new URL(url).pathname.slice(1)
  await client.query(`${STAND_INS}; ALTER DATABASE ${name} SET search_path = public, stand_in, pg_catalog`)
  return {
    url,
    client,
    /** What has become of node 3. */
    becomes: (state: 'up' | 'down' | 'hangs') =>
      client.query('UPDATE stand_in.pg_dist_node SET state = $1 WHERE nodeid = 3', [state]),
    [Symbol.asyncDispose]: () => client.end(),
  }
}

type Options = { readonly method?: string; readonly body?: object; readonly key?: string }

const ask = async <Body>({ url }: Running, path: string, { method = 'GET', body, key }: Options = {}) => {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Body }
}

type Readiness = { readonly status: string; readonly unreachable_nodes?: readonly number[] }

/** Readiness is remembered for a second. */
const readinessUntil = async (service: Running, nodes: readonly number[] | undefined) => {
  for (;;) {
    const answer = await ask<Readiness>(service, '/readyz')
    assert.equal(answer.status, 200)
    if (JSON.stringify(answer.body.unreachable_nodes) === JSON.stringify(nodes)) return answer.body
  }
}

const change = (service: Running, body: object) =>
  ask<Schemas['Organization'] & Schemas['Problem']>(service, '/v1/organizations/acme', { method: 'PATCH', body })

test('while a node is down or hangs, the service is ready, says which node is missing, and changes no calendar', async () => {
  await using cluster = await createCluster()
  await using service = await startService({ DATABASE_URL: cluster.url })
  assert.equal((await ask(service, '/v1/organizations', { method: 'POST', body: { id: 'acme' } })).status, 201)
  assert.deepEqual((await ask(service, '/readyz')).body, { status: 'ready' })
  for (const state of ['down', 'hangs'] as const) {
    await cluster.becomes(state)
    assert.deepEqual(await readinessUntil(service, [3]), { status: 'ready', unreachable_nodes: [3] })
    const moved = await change(service, { billing_anchor_day: 7 })
    assert.equal(moved.status, 503)
    assert.match(moved.body.type, /store-failed$/)
    assert.match(
      service.logged(),
      /nor a calendar changed, before these nodes of the cluster can be reached: node-3:5432/,
    )
    const renamed = await change(service, { name: `Acme ${state}` })
    assert.deepEqual([renamed.status, renamed.body.name], [200, `Acme ${state}`])
    await cluster.becomes('up')
    assert.deepEqual(await readinessUntil(service, undefined), { status: 'ready' })
  }
  assert.equal((await change(service, { billing_anchor_day: 7 })).status, 200)
})

test('a cluster whose connected node accepts no writes is not ready', async () => {
  await using cluster = await createCluster()
  const url = new URL(cluster.url)
  url.searchParams.set('options', '-c default_transaction_read_only=on')
  const ledger = await createPostgresLedger({ url: url.href, poolSize: 1 })
  await assert.rejects(ledger.check(), /the database is read-only/)
  await ledger.close()
})

test('a server starts while the node of "default" is down, and prepares it before its first use', async () => {
  await using cluster = await createCluster()
  await cluster.client.query(DEFAULT_ON_NODE_3)
  const environment = { DATABASE_URL: cluster.url, TIME_ZONE: 'Asia/Tokyo', BILLING_ANCHOR_DAY: '5' }
  const store = await openStore(readConfig(environment), () => {})
  await store.organizations.create({ id: 'acme', name: 'Acme', timeZone: 'UTC', anchorDay: 1 })
  const { key } = await store.access.createKey({ organizationId: 'acme', name: 'test', scopes: ['admin'] })
  await store.close()

  await cluster.becomes('down')
  await using service = await startService(environment)
  assert.equal((await ask(service, '/v1/organizations/acme', { key })).status, 200)
  const started = await openStore(readConfig(environment), () => {})
  await assert.rejects(started.organizations.find('default'), StoreError)
  await assert.rejects(started.organizations.change('default', { name: 'Default' }), StoreError)
  await cluster.becomes('up')
  const found = await started.organizations.find('default')
  assert.deepEqual([found?.calendar[0].timeZone, found?.calendar[0].anchorDay], ['Asia/Tokyo', 5])
  await started.close()
})
