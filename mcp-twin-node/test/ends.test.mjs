// However a process or a worker ends, nothing is left of the fronts in it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { Place, until } from './place.mjs';

const host = path.join(path.dirname(fileURLToPath(import.meta.url)), 'host.mjs');

/** A server that goes on when its stdin has ended: somebody has to end it. */
function stubborn(t) {
  const place = new Place('plain');
  t.after(() => place.remove());
  place.edit((code) => `${code}\ntime.sleep(600)\n`);
  return place;
}

async function hosted(t, how) {
  const place = stubborn(t);
  const child = spawn(process.execPath, [host, how, JSON.stringify(place.options)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  const ready = until(`a host that is ready (${how}): ${said}`, () => child.ready || child.exitCode !== null);
  child.stdout.on('data', (data) => (child.ready ||= String(data).includes('ready')));
  await ready;
  assert.ok(child.ready, said);
  // One twin of each front; the host itself bears no mark.
  assert.equal(place.processes().length, 2);
  return { place, child, said: () => said };
}

for (const [how, expected] of [
  ['exit in mid-call', { code: 3 }],
  ['uncaught exception', { code: 1 }],
  ['unhandled rejection', { code: 1 }],
  ['abort', { signal: 'SIGABRT' }],
  ['end of the program', { code: 0 }],
]) {
  test(`nothing is left after: ${how}`, async (t) => {
    const { place, child, said } = await hosted(t, how);
    const exit = once(child, 'exit');
    child.stdin.end('go\n');
    const [code, signal] = await exit;
    assert.deepEqual({ code, signal }, { code: null, signal: null, ...expected }, said());
    if (how.startsWith('un')) assert.match(said(), /on purpose/);
    if (expected.code === 0 || expected.code === 3) assert.equal(said(), '', 'a front writes nothing to the stderr of its host');
    await until('the end of all twins', () => place.processes().length === 0);
  });
}

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT']) {
  test(`nothing is left after ${signal}, which the host dies of as before`, async (t) => {
    const { place, child } = await hosted(t, 'wait');
    const exit = once(child, 'exit');
    child.kill(signal);
    assert.deepEqual(await exit, [null, signal]);
    await until('the end of all twins', () => place.processes().length === 0);
  });
}

for (const how of ['terminated', 'exit in mid-call', 'uncaught exception', 'end of the program']) {
  test(`nothing is left of a worker after: ${how}`, async (t) => {
    const place = stubborn(t);
    const worker = new Worker(host, { argv: [how, JSON.stringify(place.options)], stdin: true, stdout: true, stderr: true });
    const errors = [];
    worker.on('error', (error) => errors.push(error));
    await new Promise((resolve, reject) => {
      worker.stdout.on('data', (data) => String(data).includes('ready') && resolve());
      worker.once('exit', () => reject(new Error(`it ended: ${errors}`)));
    });
    assert.equal(place.processes().length, 2);
    const exit = once(worker, 'exit').catch(() => {});
    if (how === 'terminated') await worker.terminate();
    else worker.stdin.end('go\n');
    await exit;
    await until('the end of all twins', () => place.processes().length === 0);
    if (how === 'uncaught exception') assert.match(String(errors[0]), /on purpose/);
  });
}

test('children of the host are its own: their ends and exit statuses reach it', async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  const { createFront } = await import('../index.mjs');
  const { newClient } = await import('./place.mjs');
  const front = createFront(place.options);
  await newClient().connect(front);
  const during = spawn('sh', ['-c', 'exit 6']);
  assert.deepEqual(await once(during, 'exit'), [6, null]);
  // And the other way about: libuv listens to the ends of children now, and the front still hears of its own twin's.
  const crashed = once(front, 'crashed');
  process.kill(Number(place.processes()[0]), 'SIGKILL');
  assert.match((await crashed)[0].error.message, /SIGKILL|signal 9/i);
  await front.close();
  assert.deepEqual(place.processes(), []);
});
