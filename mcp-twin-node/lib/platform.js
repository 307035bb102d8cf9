'use strict';

const fs = require('node:fs');

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

module.exports = { platform };
