// The example of the README is run as it stands, and says what its comments say.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { packageFolder, tools } from './place.mjs';

test('the example of the README', (t) => {
  const readme = readFileSync(path.join(packageFolder, 'README.md'), 'utf8');
  const [, code] = /<!-- run by test\/readme.test.mjs -->\n```js\n([^]*?)```/.exec(readme);
  const folder = mkdtempSync(path.join(tmpdir(), 'mtn-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const modules = path.join(folder, 'node_modules');
  mkdirSync(modules);
  symlinkSync(packageFolder, path.join(modules, 'mcp-twin'));
  for (const name of ['@modelcontextprotocol', 'zod']) {
    symlinkSync(path.join(tools, 'typescript/node_modules', name), path.join(modules, name));
  }
  writeFileSync(path.join(folder, 'example.mjs'), code);
  const env = { ...process.env, MCP_TWIN_HOME: path.join(folder, 'home'), PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` };
  const said = spawnSync(process.execPath, ['example.mjs'], { cwd: folder, env, encoding: 'utf8', timeout: 60_000 });
  const wanted = [...code.matchAll(/console\.log\(.*\); \/\/ ([^:\n]+(?:::[^:\n]+)*)/g)].map(([, comment]) => comment.trim());
  assert.equal(wanted.length, 6);
  assert.deepEqual([said.stdout.trim().split('\n'), said.stderr, said.status], [wanted, '', 0]);
});
