// A manager: servers of its own in this process, and those whose fronts run elsewhere on the machine.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { TwinError, TwinManager, createFront, setupFileWatcher } from '../index.mjs';
import { Place, StreamableHTTPClientTransport, newClient, text, until } from './place.mjs';

function managed(t, server = 'plain', options = {}) {
  const place = new Place(server);
  const { name, home, ...spec } = place.options;
  const manager = new TwinManager({ servers: { [name]: spec }, home, ...options });
  t.after(async () => {
    await manager.close();
    assert.deepEqual(place.processes(), []);
    place.remove();
  });
  return { place, manager, spec };
}

async function connected(t, url) {
  const client = newClient();
  t.after(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

for (const server of ['plain', 'typescript', 'python', 'http']) {
  test(`a ${server} server is started, reloaded, swapped, rolled back and stopped`, async (t) => {
    const { place, manager } = managed(t, server);
    const status = await manager.start('fixture');
    assert.equal(status.swap.state, 'serving');
    assert.equal(status.stdioTwins, server !== 'http');
    const [running] = manager.getRunningServers();
    assert.deepEqual([running.name, running.url, running.scriptPath], ['fixture', status.url, place.script]);
    const client = await connected(t, status.url);
    assert.equal(await text(client, 'version'), 'v1');
    place.save('v2');
    assert.equal((await manager.reloadStandby('fixture')).outcome, 'verified');
    assert.equal(await text(client, 'version'), 'v1');
    assert.equal((await manager.swap('fixture')).outcome, 'swapped');
    assert.equal(await text(client, 'version'), 'v2');
    assert.equal((await manager.rollback('fixture')).outcome, 'rolledBack');
    assert.equal(await text(client, 'version'), 'v1');
    const history = await manager.history('fixture');
    assert.ok(history.length >= 3 && history.every(({ ms, front }) => ms > 0 && front === status.front));
    assert.match((await manager.logs('fixture', { lines: 200 })).join('\n'), /rolled back from generation 2 to 1/);
    assert.equal((await manager.status('fixture')).swap.swaps, 2);
    assert.deepEqual((await manager.status()).map(({ front }) => front), [status.front]);
    await client.close();
    assert.equal((await manager.stop('fixture')).outcome, 'stopped');
    assert.deepEqual(manager.getRunningServers(), []);
    assert.deepEqual(place.processes(), []);
  });
}

test('what does not start is an error with its stderr, and leaves nothing', async (t) => {
  const { place, manager } = managed(t);
  place.spoil();
  const error = await manager.start('fixture').then(() => assert.fail('started'), (error) => error);
  assert.ok(error instanceof TwinError);
  assert.match(error.stderrTail, /this code does not start/);
  assert.deepEqual(manager.getRunningServers(), []);
  assert.deepEqual(place.processes(), []);
});

test('what cannot be is refused with a code and advice', async (t) => {
  const { manager } = managed(t);
  await manager.start('fixture');
  await assert.rejects(manager.start('fixture'), { code: 'twin::server::running' });
  await assert.rejects(manager.start('nobody-has-it'), (error) => error.code === 'twin::server::unknown' && /start\('nobody-has-it'/.test(error.help));
  for (const command of ['stop', 'reloadStandby', 'swap', 'rollback', 'status', 'logs']) {
    await assert.rejects(manager[command]('nobody-has-it'), { code: 'twin::server::not_running' }, command);
  }
  assert.deepEqual(await manager.history('nobody-has-it'), []);
  await assert.rejects(manager.start('x', { command: 'x', transport: 'pigeon' }), { code: 'twin::usage' });
  await assert.rejects(manager.rollback('fixture'), { code: 'twin::rollback::no_previous' });
});

test('an aborted start leaves nothing', async (t) => {
  const { place, manager } = managed(t);
  place.edit((code) => code.replace('BOOT_SECONDS = 0.0', 'BOOT_SECONDS = 30.0'));
  const controller = new AbortController();
  const starting = manager.start('fixture', undefined, { signal: controller.signal });
  await until('its process', () => place.processes().length > 0);
  controller.abort(new Error('enough'));
  await assert.rejects(starting, /enough/);
  assert.deepEqual(manager.getRunningServers(), []);
  await until('the end of its process', () => place.processes().length === 0);
});

test('events say which server they are of', async (t) => {
  const { place, manager } = managed(t);
  const heard = [];
  manager.on('swap', (event) => heard.push(event));
  const events = manager.events();
  await manager.start('fixture');
  place.save('v2');
  const swapped = once(manager, 'swap');
  await manager.swap('fixture');
  await swapped;
  assert.deepEqual(heard.map(({ server, generation }) => [server, generation]), [['fixture', 2]]);
  await manager.close();
  const types = [];
  for await (const { server, type } of events) {
    assert.equal(server, 'fixture');
    types.push(type);
  }
  assert.deepEqual(types.filter((type) => type !== 'log'), ['started', 'swap', 'close']);
});

test('a save asks whether to swap, and is swapped on a yes only', async (t) => {
  const { place, manager } = managed(t);
  const { url } = await manager.start('fixture');
  const client = await connected(t, url);
  const questions = [];
  let answer = false;
  const watcher = setupFileWatcher(manager, {
    onSwapPrompt: async (question) => {
      questions.push(question);
      return answer;
    },
  });
  t.after(() => watcher.close());
  let reloaded = once(watcher, 'reload');
  place.save('v2');
  assert.equal((await reloaded)[0].reloaded.outcome, 'verified');
  await until('the question', () => questions.length === 1);
  assert.deepEqual(questions[0], { server: 'fixture', generation: 2, message: 'fixture updated. Swap to new version?' });
  assert.equal(await text(client, 'version'), 'v1');
  answer = true;
  const swapped = once(watcher, 'swap');
  place.save('v3');
  assert.equal((await swapped)[0].swapped.outcome, 'swapped');
  assert.equal(await text(client, 'version'), 'v3');
  const failed = once(watcher, 'failed');
  place.spoil();
  assert.match((await failed)[0].error.stderrTail, /this code does not start/);
  assert.equal(await text(client, 'version'), 'v3');
  await watcher.close();
});

test('a front of this machine that is not its own obeys a manager', async (t) => {
  const { place, manager } = managed(t);
  // Another program: here one in this process, found through the state directory as any other is.
  const front = createFront(place.options);
  const client = newClient();
  t.after(() => front.close());
  await client.connect(front);
  await front.ready();
  assert.deepEqual(manager.getRunningServers(), []);
  assert.equal((await manager.status('fixture')).front, front.id);
  assert.deepEqual((await manager.status()).map((status) => status.front), [front.id]);
  place.save('v2');
  assert.equal((await manager.swap('fixture')).outcome, 'swapped');
  assert.equal(await text(client, 'version'), 'v2');
  assert.equal((await manager.rollback('fixture')).outcome, 'rolledBack');
  place.spoil();
  await assert.rejects(manager.reloadStandby('fixture'), (error) => /this code does not start/.test(error.stderrTail));
  await manager.stopAll();
  assert.equal((await front.status()).swap.state, 'serving', 'that of others goes on');
  assert.equal((await manager.stop('fixture')).outcome, 'stopped');
  assert.equal((await front.status()).swap.state, 'stopped');
});

test('two servers of one name in two managers are in nobody\'s way', async (t) => {
  const { place, manager, spec } = managed(t, 'http');
  const other = new TwinManager({ home: place.options.home, private: true });
  try {
    const [one, two] = await Promise.all([manager.start('fixture'), other.start('fixture', spec)]);
    assert.notEqual(one.url, two.url);
    for (const { url } of [one, two]) assert.equal(await text(await connected(t, url), 'version'), 'v1');
  } finally {
    await other.close();
  }
});
