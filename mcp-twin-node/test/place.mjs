// A folder with a server's code and a state directory, and eyes for processes that should not be there.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
export const packageFolder = path.resolve(here, '..');
export const tools = process.env.MCP_TWIN_TOOLS ?? path.join(root, 'target/tools');
const servers = path.join(root, 'tests/fixtures/servers');
/** Generous: the machine may be busy, and a test that passes never waits so long. */
export const PATIENCE = 60_000;

const SERVERS = {
  plain: { file: 'plain_server.py', command: 'python3' },
  python: { file: 'sdk_server.py', command: path.join(tools, 'python/bin/python') },
  typescript: { file: 'sdk_server.mjs', command: process.execPath, modules: path.join(tools, 'typescript/node_modules') },
  http: { file: 'http_server.py', command: 'python3', args: ['--port', '{port}'] },
};

/** A module of the TypeScript SDK. */
export async function sdk(module) {
  const file = path.join(tools, 'typescript/node_modules/@modelcontextprotocol/sdk/dist/esm', module);
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`cargo xtask setup\` first`);
  return import(pathToFileURL(file));
}

export const { Client } = await sdk('client/index.js');
export const { StreamableHTTPClientTransport } = await sdk('client/streamableHttp.js');

export class Place {
  constructor(server = 'plain') {
    this.folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'mtn-')));
    this.project = path.join(this.folder, 'project');
    mkdirSync(this.project);
    const { file, modules } = SERVERS[server];
    this.server = SERVERS[server];
    this.script = path.join(this.project, file);
    cpSync(path.join(servers, file), this.script);
    if (modules) symlinkSync(modules, path.join(this.project, 'node_modules'));
  }

  /** What a front or a manager is told. */
  get options() {
    const { command, args = [] } = this.server;
    return { command, args: [this.script, ...args], cwd: this.project, home: path.join(this.folder, 'home'), env: { MTN_PLACE: this.folder, FIXTURE_SERVERS: servers }, name: 'fixture' };
  }

  /** Saves the server with this version, as editors do. */
  save(version) {
    this.edit((text) => text.replace(/^(const )?VERSION = .*$/m, (_, word = '') => `${word}VERSION = "${version}"`));
  }

  edit(change) {
    const before = readFileSync(this.script, 'utf8');
    const after = change(before);
    if (after === before) throw new Error('the edit changes nothing');
    const beside = path.join(this.folder, 'new');
    writeFileSync(beside, after);
    renameSync(beside, this.script);
  }

  /** Saves code that cannot start. */
  spoil() {
    const line = this.script.endsWith('.py') ? 'raise RuntimeError("this code does not start")\n' : 'throw new Error("this code does not start");\n';
    this.edit((text) => line + text);
  }

  /** Processes that were started for this place. */
  processes() {
    const wanted = `MTN_PLACE=${this.folder}`;
    return readdirSync('/proc').filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'));
        return state !== 'Z' && readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(wanted);
      } catch {
        return false;
      }
    });
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for a condition of the world. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${PATIENCE} ms in vain: ${what}`);
    // The interval of the question, never an assumption about how long something takes.
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** The text that a tool answers. */
export async function text(client, name, args = {}) {
  const { content } = await client.callTool({ name, arguments: args });
  return content[0].text;
}

export function newClient() {
  return new Client({ name: 'test', version: '1' });
}
