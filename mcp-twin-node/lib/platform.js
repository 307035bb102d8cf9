'use strict';
// Which package has the native parts for this machine, and where its files are.

const fs = require('node:fs');
const path = require('node:path');

/** The platform as its package is called, such as `linux-x64-gnu`. */
function platform() {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  return `${platform}-${arch}`;
}

function isMusl() {
  try {
    // A look at a small file; the report of the process takes milliseconds.
    return fs.readFileSync('/usr/bin/ldd', 'utf8').includes('musl');
  } catch {
    process.report.excludeNetwork = true;
    const report = process.report.getReport();
    return !(typeof report === 'string' ? JSON.parse(report) : report).header.glibcVersionRuntime;
  }
}

/** The path of the command: `$MCP_TWIN_BIN`, else that of the package for this platform; `undefined` if it is not installed. */
function binary() {
  if (process.env.MCP_TWIN_BIN) return process.env.MCP_TWIN_BIN;
  try {
    const folder = path.dirname(require.resolve(`mcp-twin-${platform()}/package.json`));
    return path.join(folder, process.platform === 'win32' ? 'mcp-twin.exe' : 'mcp-twin');
  } catch {
    return undefined;
  }
}

module.exports = { platform, binary };
