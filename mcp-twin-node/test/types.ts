// Compiled by a strict `tsc --noEmit`, never run: what the types allow, and what they refuse.
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  TwinError, TwinManager, assignPorts, createFront, detectMCPServers, extractScriptPath, hashCode, setupFileWatcher, version,
  type Front, type FrontEvent, type FrontStatus, type MCPServerConfig, type Outcome,
} from 'mcp-twin';

const ports: [number, number] = assignPorts('notes');
const hash: number = hashCode('notes') + ports[0];
const servers: MCPServerConfig[] = detectMCPServers({ project: '.' });
const script: string | undefined = extractScriptPath({ command: 'python', args: ['server.py'] });
const text: string = version + hash + servers.length + (script ?? '');

const front: Front = createFront({ command: 'python', args: ['server.py'], options: { promote: 'manual' }, signal: new AbortController().signal });
const transport: Transport = front;

async function drive(): Promise<string> {
  const client = new Client({ name: 'types', version: text });
  await client.connect(front);
  const outcome: Outcome = await front.swap({ force: true, signal: AbortSignal.timeout(1) });
  if (outcome.outcome === 'swapped') return String(outcome.active.source.generation);
  front.on('swap', (event) => event.previous.toFixed());
  front.once('failed', ({ error }) => error.stderrTail.trim());
  for await (const event of front) {
    const known: FrontEvent = event;
    if (known.type === 'rolledBack') return known.error?.code ?? '';
  }
  const status: FrontStatus = await front.status();
  return status.swap.state;
}

async function manage(): Promise<void> {
  await using manager = new TwinManager({ servers: { notes: { command: 'python', transport: 'http', port: 8000 } } });
  const started: FrontStatus = await manager.start('notes');
  const all: FrontStatus[] = await manager.status();
  const one: FrontStatus = await manager.status('notes');
  manager.on('crashed', ({ server, error }) => server + error.message);
  await using watcher = setupFileWatcher(manager, { onSwapPrompt: async ({ generation }) => generation > 1 });
  watcher.on('reload', ({ reloaded }) => reloaded.outcome);
  try {
    await manager.rollback('notes', { to: 1 });
  } catch (error) {
    if (error instanceof TwinError) throw new Error(`${error.code} ${error.help ?? ''} ${started.url} ${all.length} ${one.pid}`);
  }
}

// @ts-expect-error a server has a command
createFront({ args: [] });
// @ts-expect-error an event has its own content
front.on('swap', (event) => event.line);
// @ts-expect-error there is no such event
front.on('swapped', () => {});
// @ts-expect-error a name is a text
assignPorts(1);

export { drive, manage, transport };
