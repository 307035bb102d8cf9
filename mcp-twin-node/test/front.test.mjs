// A front in this process: a live client of the official SDK while twins are swapped behind it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { TwinError, createFront } from '../index.mjs';
import { Place, newClient, text, until } from './place.mjs';

async function opened(t, server, options = {}) {
  const place = new Place(server);
  const front = createFront({ ...place.options, ...options });
  const client = newClient();
  t.after(async () => {
    await client.close();
    await front.close();
    assert.deepEqual(place.processes(), []);
    place.remove();
  });
  await client.connect(front);
  return { place, front, client };
}

for (const server of ['plain', 'typescript', 'python']) {
  test(`a live client of a ${server} server sees new code after a swap, and the old after a rollback`, async (t) => {
    const { place, front, client } = await opened(t, server);
    assert.equal(await text(client, 'version'), 'v1');
    place.save('v2');
    const reloaded = await front.reload();
    assert.equal(reloaded.outcome, 'verified');
    assert.equal(reloaded.standby.source.generation, 2);
    assert.equal(await text(client, 'version'), 'v1');
    const swapped = await front.swap();
    assert.equal(swapped.outcome, 'swapped');
    assert.equal(swapped.previous.source.generation, 1);
    assert.equal(await text(client, 'version'), 'v2');
    const back = await front.rollback();
    assert.equal(back.outcome, 'rolledBack');
    assert.equal(await text(client, 'version'), 'v1');
    const status = await front.status();
    assert.equal(status.server, 'fixture');
    assert.equal(status.swap.active.source.generation, 1);
    assert.equal(status.swap.swaps, 2);
    assert.equal(status.pid, process.pid);
    assert.equal(front.id, status.front);
    assert.match((await front.logs({ lines: 50 })).join('\n'), /swapped generation 1 for 2/);
  });
}

test('code that does not start is an error with code and stderr, and the old code goes on', async (t) => {
  const { place, front, client } = await opened(t, 'plain');
  const failed = new Promise((resolve) => front.once('failed', resolve));
  place.spoil();
  const error = await front.swap().then(() => assert.fail('swapped'), (error) => error);
  assert.ok(error instanceof TwinError && error instanceof Error);
  assert.equal(error.name, 'TwinError');
  assert.equal(error.code, 'twin::spawn::exited_early');
  assert.match(error.stderrTail, /this code does not start/);
  assert.equal((await failed).error.code, error.code);
  assert.equal(await text(client, 'version'), 'v1');
});

test('what cannot be is refused with a code', async (t) => {
  const { front } = await opened(t, 'plain');
  await assert.rejects(front.rollback(), { code: 'twin::rollback::no_previous' });
  await assert.rejects(front.rollback({ to: 9 }), (error) => error.code === 'twin::rollback::no_generation' && /generation 1/.test(error.help));
  await assert.rejects(front.start(), { code: 'twin::usage' });
  assert.throws(() => createFront({ command: '' }), { code: 'twin::usage' });
  assert.throws(() => createFront({ command: 'x', nmae: 'y' }), /no option `nmae`/);
  const wrong = createFront({ command: 'x', options: { promot: 'auto' } });
  await assert.rejects(wrong.start(), (error) => error.code === 'twin::usage' && /promote/.test(error.message));
  await assert.rejects(createFront({ command: 'x' }).status(), { code: 'twin::usage' });
});

test('a program that is not there is told to the client', async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  const front = createFront({ ...place.options, command: 'twin-of-nobody', args: [] });
  const client = newClient();
  await assert.rejects(client.connect(front), /twin-of-nobody/);
  await front.close();
});

test('an aborted call rejects with the reason of its signal, and the front goes on', async (t) => {
  const { place, front, client } = await opened(t, 'plain');
  place.edit((code) => code.replace('BOOT_SECONDS = 0.0', 'BOOT_SECONDS = 1.0'));
  const reason = new Error('enough');
  const controller = new AbortController();
  const swapping = front.swap({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(swapping, reason);
  await assert.rejects(front.status({ signal: AbortSignal.abort(reason) }), reason);
  assert.equal(await text(client, 'version'), 'v1');
  // What was begun goes on, and a second command joins it.
  assert.equal((await front.swap()).active.source.generation, 2);
});

test('the signal of a front ends it', async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  const controller = new AbortController();
  const front = createFront({ ...place.options, signal: controller.signal });
  const client = newClient();
  await client.connect(front);
  const closed = new Promise((resolve) => (client.onclose = resolve));
  controller.abort();
  await closed;
  assert.ok(front.closed);
  assert.deepEqual(place.processes(), []);
  const late = createFront({ ...place.options, signal: AbortSignal.abort(new Error('late')) });
  await assert.rejects(newClient().connect(late), /late/);
});

test('events come to listeners and to loops, and the loops end with the front', async (t) => {
  const { place, front, client } = await opened(t, 'plain');
  // A swap before the first twin serves would be its start.
  await front.ready();
  const heard = [];
  front.on('swap', (event) => heard.push(event));
  const loop = (async () => {
    const types = [];
    for await (const event of front) types.push(event.type);
    return types;
  })();
  place.save('v2');
  await front.swap();
  place.save('v3');
  const waiting = new Promise((resolve) => front.once('swap', resolve));
  await front.swap();
  await waiting;
  await front.rollback();
  await client.close();
  await front.close();
  const types = await loop;
  // Whether the loop was there for the start is a matter of moments.
  assert.deepEqual(types.filter((type) => !['log', 'started'].includes(type)), ['swap', 'swap', 'rolledBack', 'close']);
  assert.ok(types.includes('log'));
  assert.deepEqual(heard.map(({ previous, generation }) => [previous, generation]), [[1, 2], [2, 3]]);
  assert.equal((await front.events().next()).done, true);
});

test('a save is taken by itself where files are watched', async (t) => {
  const { place, front, client } = await opened(t, 'plain', { watchFiles: true });
  const swapped = new Promise((resolve) => front.once('swap', resolve));
  await until('files that are watched', async () => (await front.status()).watched);
  place.save('v2');
  await swapped;
  assert.equal(await text(client, 'version'), 'v2');
});

test('fronts are disposed of', async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  const front = createFront({ ...place.options, private: true });
  await newClient().connect(front);
  assert.equal(place.processes().length, 1);
  await front[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]();
  assert.deepEqual(place.processes(), []);
  await front.close();
  await assert.rejects(front.status(), { code: 'twin::stopped' });
  await assert.rejects(front.send({ jsonrpc: '2.0', method: 'x' }), { code: 'twin::stopped' });
});

test('messages of every size and kind of letter pass unchanged, in order', async (t) => {
  const { client } = await opened(t, 'plain');
  const texts = ['', 'ö🦀\u2028\n\0', 'x'.repeat(3 << 20), ...Array.from({ length: 200 }, (_, n) => 'y'.repeat(n * 97))];
  const answers = await Promise.all(texts.map((one) => text(client, 'echo', { text: one })));
  assert.deepEqual(answers, texts);
});

test('200 swaps under load lose no call', { timeout: 600_000 }, async (t) => {
  const { place, front, client } = await opened(t, 'plain');
  const swaps = Number(process.env.MCP_TWIN_SWAPS ?? 200);
  let over = false;
  let calls = 0;
  const versions = new Set();
  const worker = async (lane) => {
    while (!over) {
      const key = `${lane}-${calls++}`;
      const answer = JSON.parse(await text(client, 'work', { ms: calls % 7, key }));
      assert.equal(answer.key, key);
      versions.add(answer.version);
    }
  };
  const lanes = Array.from({ length: 8 }, (_, lane) => worker(lane));
  for (let n = 1; n <= swaps; n++) {
    place.save(`s${n}`);
    const done = await front.swap();
    assert.equal(done.outcome, 'swapped');
  }
  over = true;
  // A call that is lost rejects, or never comes back.
  await Promise.all(lanes);
  assert.equal((await front.status()).swap.swaps, swaps);
  assert.ok(calls > swaps && versions.size > swaps / 2, `${calls} calls, ${versions.size} versions`);
  t.diagnostic(`${calls} calls over ${swaps} swaps, ${versions.size} versions seen, 0 lost`);
});
