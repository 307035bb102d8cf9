// Memory stays flat over starts and stops: nothing of a front that has ended is kept.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { TwinManager, createFront } from '../index.mjs';
import { Place, newClient, text } from './place.mjs';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What this process holds: KiB of its own pages, descriptors, threads. */
function held() {
  collect();
  const status = readFileSync('/proc/self/status', 'utf8');
  const number = (field) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]);
  return { memory: number('RssAnon'), descriptors: readdirSync('/proc/self/fd').length, threads: number('Threads') };
}

// `MCP_TWIN_CYCLES=1000` is the full size, run by hand.
const CYCLES = Number(process.env.MCP_TWIN_CYCLES ?? 60);

async function cycles(t, once) {
  let first;
  let last;
  // The first third warms up: caches, pools, the heap of JavaScript.
  const warm = Math.ceil(CYCLES / 3);
  for (let n = 0; n < CYCLES; n++) {
    await once();
    if (n + 1 === warm) first = held();
  }
  last = held();
  t.diagnostic(`${CYCLES} cycles: ${JSON.stringify(first)} after ${warm}, ${JSON.stringify(last)} at the end`);
  const grown = (last.memory - first.memory) / (CYCLES - warm);
  // A front that were kept would be hundreds of KiB; the noise of an allocator is divided by the cycles.
  assert.ok(grown < Math.max(8, 6000 / (CYCLES - warm)), `${grown.toFixed(1)} KiB a cycle`);
  assert.ok(last.descriptors <= first.descriptors + 2 && last.threads <= first.threads + 2, JSON.stringify({ first, last }));
}

test('fronts and their clients', { timeout: 3_600_000 }, async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  await cycles(t, async () => {
    const front = createFront(place.options);
    const client = newClient();
    await client.connect(front);
    await text(client, 'version');
    await client.close();
    await front.close();
  });
  assert.deepEqual(place.processes(), []);
});

test('servers of a manager', { timeout: 3_600_000 }, async (t) => {
  const place = new Place('plain');
  t.after(() => place.remove());
  const { name, home, ...spec } = place.options;
  const manager = new TwinManager({ servers: { [name]: spec }, home });
  await cycles(t, async () => {
    await manager.start(name);
    await manager.stop(name);
  });
  await manager.close();
  assert.deepEqual(place.processes(), []);
});
