'use strict';
// The addon of this platform: beside this package while it is developed, else in the package for the platform.

const fs = require('node:fs');
const path = require('node:path');
const { platform } = require('./platform.js');

function load() {
  const name = platform();
  const file = `mcp-twin.${name}.node`;
  const beside = path.join(__dirname, '..', file);
  const failures = [];
  for (const candidate of [process.env.MCP_TWIN_ADDON, fs.existsSync(beside) ? beside : undefined, `mcp-twin-${name}/${file}`]) {
    if (!candidate) continue;
    try {
      return require(candidate);
    } catch (error) {
      failures.push(`${candidate}: ${error.message.split('\n')[0]}`);
    }
  }
  const error = new Error(
    `mcp-twin has no addon for ${name}: ${failures.join('; ')}. Install it with \`npm i mcp-twin-${name}\` ` +
      '(it is an optional dependency of mcp-twin, which `--omit=optional` leaves out).',
  );
  error.code = 'twin::addon';
  throw error;
}

module.exports = load();
