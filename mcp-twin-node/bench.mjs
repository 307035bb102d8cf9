// Figures of the package: `node bench.mjs` (the addon should be a release build: `cargo build --release -p mcp-twin-node`,
// named by MCP_TWIN_ADDON). Loading, the overhead of a call, the size.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

// Each load is one of a fresh process: the time of `require` alone.
const loads = Array.from({ length: 21 }, () => {
  const script = `const begin = performance.now(); require(${JSON.stringify(here)}); process.stdout.write(String(performance.now() - begin))`;
  return Number(spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout);
});
console.log(`loading the package: ${median(loads).toFixed(1)} ms (median of ${loads.length} processes)`);

const { Place, newClient, sdk } = await import('./test/place.mjs');
const { createFront, hashCode } = await import('./index.mjs');

function each(count, work) {
  const begin = performance.now();
  for (let n = 0; n < count; n++) work(n);
  return ((performance.now() - begin) * 1000) / count;
}

async function eachAsync(count, work) {
  const times = [];
  for (let n = 0; n < count; n++) {
    const begin = performance.now();
    await work(n);
    times.push((performance.now() - begin) * 1000);
  }
  return median(times);
}

each(10_000, () => hashCode('warm'));
console.log(`a call that returns at once (hashCode): ${each(200_000, (n) => hashCode(`server-${n}`)).toFixed(2)} µs`);

const place = new Place('plain');
const front = createFront(place.options);
const client = newClient();
await client.connect(front);
await front.ready();
// Nothing is looked at and nothing is waited for: the way to the front's thread and back.
await eachAsync(500, () => front.ready());
console.log(`a call that is a promise (to the front and back): ${(await eachAsync(5000, () => front.ready())).toFixed(0)} µs`);
console.log(`status: ${(await eachAsync(2000, () => front.status())).toFixed(0)} µs`);
await eachAsync(500, () => client.ping());
console.log(`ping of an SDK client through the front: ${(await eachAsync(5000, () => client.ping())).toFixed(0)} µs`);
await client.close();

const { StdioClientTransport } = await sdk('client/stdio.js');
const bare = newClient();
const { command, args, cwd } = place.options;
await bare.connect(new StdioClientTransport({ command, args, cwd, env: { ...process.env, ...place.options.env } }));
await eachAsync(500, () => bare.ping());
console.log(`the same without a front (StdioClientTransport): ${(await eachAsync(5000, () => bare.ping())).toFixed(0)} µs`);
await bare.close();
place.remove();

const { platform } = await import('./lib/platform.js').then((module) => module.default);
const addon = process.env.MCP_TWIN_ADDON ?? path.join(here, `mcp-twin.${platform()}.node`);
console.log(`the addon: ${(statSync(addon).size / 1e6).toFixed(1)} MB (${addon})`);
