// What is asked of the machine: alike to Rust by one fixture, and what a client has configured.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import * as twin from '../index.mjs';
import { root } from './place.mjs';

const parity = JSON.parse(readFileSync(path.join(root, 'tests/fixtures/parity.json'), 'utf8'));

test('hashes and ports are those of Rust', () => {
  assert.ok(parity.names.length > 10);
  for (const { name, hash, ports } of parity.names) {
    assert.equal(twin.hashCode(name), hash, name);
    assert.deepEqual(twin.assignPorts(name), ports, name);
  }
});

test('scripts are those of Rust', () => {
  for (const { command, args, scriptPath } of parity.commands) {
    const found = twin.extractScriptPath({ command, args, cwd: parity.cwd });
    assert.equal(found ?? null, scriptPath, [command, ...args].join(' '));
  }
});

test('detected servers are those of Rust', (t) => {
  const { project } = home(t);
  const place = path.dirname(project);
  for (const [file, text] of Object.entries(parity.detected.files)) {
    mkdirSync(path.dirname(path.join(place, file)), { recursive: true });
    writeFileSync(path.join(place, file), text);
  }
  const found = twin
    .detectMCPServers({ project })
    .map(({ name, command, args, scriptPath }) => ({ name, command, args, scriptPath: scriptPath ?? null }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  assert.ok(found.length > 2);
  assert.deepEqual(JSON.parse(JSON.stringify(found).replaceAll(place, 'ROOT')), parity.detected.servers);
});

/** A home of its own and a project, as long as the test takes. */
function home(t) {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'mtn-')));
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
    rmSync(folder, { recursive: true });
  });
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'APPDATA', 'CLAUDE_CONFIG_DIR', 'CODEX_HOME']) delete process.env[name];
  process.env.HOME = path.join(folder, 'home');
  const project = path.join(folder, 'project');
  mkdirSync(project);
  mkdirSync(process.env.HOME);
  return { project };
}

test('CommonJS and ESM have the same names', () => {
  const required = createRequire(import.meta.url)('../index.js');
  assert.deepEqual(Object.keys(required).sort(), Object.keys(twin).sort());
  for (const name of Object.keys(required)) assert.equal(required[name], twin[name]);
  const manifest = JSON.parse(readFileSync(path.join(root, 'mcp-twin-node/package.json'), 'utf8'));
  assert.equal(twin.version, manifest.version);
});

test('the servers of a project are detected, with what starts them', async (t) => {
  const { project } = home(t);
  writeFileSync(path.join(project, 'server.py'), '');
  const servers = {
    notes: { command: 'python3', args: ['server.py'], env: { TOKEN: 'secret-value' } },
    wired: { command: 'mcp-twin', args: ['run', '--name', 'wired', '--', 'node', 'index.js'] },
    remote: { type: 'http', url: 'https://example.com/mcp' },
  };
  writeFileSync(path.join(project, '.mcp.json'), JSON.stringify({ mcpServers: servers }));
  const found = twin.detectMCPServers({ project });
  assert.deepEqual(found.map(({ name }) => name).sort(), ['notes', 'wired']);
  const notes = found.find(({ name }) => name === 'notes');
  assert.deepEqual([notes.command, notes.args], ['python3', ['server.py']]);
  assert.equal(notes.scriptPath, path.join(project, 'server.py'));
  assert.deepEqual(notes.envNames, ['TOKEN']);
  assert.equal(notes.file, path.join(project, '.mcp.json'));
  assert.equal(found.find(({ name }) => name === 'wired').twinned, true);
  assert.ok(!JSON.stringify(found).includes('secret-value'));
});
