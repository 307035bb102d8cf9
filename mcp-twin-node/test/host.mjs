// The host of `ends.test.mjs`: a program, or a worker, with two fronts in it, that ends in some way once it is told to.
import { TwinManager, createFront } from '../index.mjs';
import { newClient } from './place.mjs';

const [how, options] = process.argv.slice(2);
const { name, home, ...server } = JSON.parse(options);
const front = createFront({ ...server, name, home });
const client = newClient();
await client.connect(front);
const manager = new TwinManager({ home });
await manager.start(name, server);
const ended = new Promise((resolve) => process.stdin.once('data', resolve));
process.stdout.write('ready\n');
await ended;
const call = client.callTool({ name: 'slow', arguments: { ms: 60_000, key: 'k' } });
call.catch(() => {});
switch (how) {
  case 'exit in mid-call':
    process.exit(3);
  case 'uncaught exception':
    setImmediate(() => {
      throw new Error('on purpose');
    });
    break;
  case 'unhandled rejection':
    Promise.reject(new Error('on purpose'));
    break;
  case 'abort':
    process.abort();
  case 'end of the program':
    // Everything is closed: nothing of it keeps the program alive.
    await Promise.all([client.close(), manager.close()]);
    process.stdin.destroy();
    break;
  default:
}
