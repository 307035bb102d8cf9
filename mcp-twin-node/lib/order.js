'use strict';
// What a front is to be, as the addon takes it.

const { usage } = require('./link.js');

const KNOWN = new Set([
  'command', 'args', 'name', 'cwd', 'env', 'watch', 'ignore', 'watchFiles', 'options', 'home', 'private',
  'transport', 'path', 'port', 'signal',
]);

/** The order of a front of this kind (`client`, `stdio` or `http`) with these options. */
function orderOf(kind, options) {
  if (options === null || typeof options !== 'object') throw usage('the options of a server are an object');
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) throw usage(`there is no option \`${key}\``, `known are ${[...KNOWN].join(', ')}`);
  }
  const { command, args = [], env, options: more, transport: _t, signal: _s, ...rest } = options;
  const words = Array.isArray(command) ? command : [command];
  if (![...words, ...args].every((word) => typeof word === 'string') || !words[0]) {
    throw usage('`command` is a program and `args` its arguments, all of them strings');
  }
  const order = Object.fromEntries(Object.entries(rest).map(([key, value]) => [snake(key), value]));
  Object.assign(order, { kind, command: [...words, ...args] });
  // A variable that is `undefined` is none, as with `child_process`.
  if (env) order.env = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined).map(([k, v]) => [k, String(v)]));
  if (more) order.options = Object.fromEntries(Object.entries(more).map(([key, value]) => [snake(key), text(value)]));
  return JSON.parse(JSON.stringify(order));
}

function snake(key) {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Values as a command line has them; a number is a time in milliseconds where a time is meant, and is said so. */
function text(value) {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** How a server is spoken to: over HTTP where its command asks for a port. */
function transportOf({ transport, args = [], command, env = {} }) {
  if (transport !== undefined) {
    if (transport === 'stdio' || transport === 'http') return transport;
    throw usage(`\`${transport}\` is no transport`, 'it is stdio or http');
  }
  const words = [command, ...args, ...Object.values(env)].flat();
  return words.some((word) => String(word).includes('{port}')) ? 'http' : 'stdio';
}

module.exports = { orderOf, transportOf };
