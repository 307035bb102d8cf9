'use strict';

const { TwinError } = require('./lib/error.js');
const { createFront } = require('./lib/front.js');
const { assignPorts, detectMCPServers, extractScriptPath, hashCode, version } = require('./lib/machine.js');
const { TwinManager } = require('./lib/manager.js');
const { setupFileWatcher } = require('./lib/watcher.js');

module.exports = {
  TwinError,
  TwinManager,
  assignPorts,
  createFront,
  detectMCPServers,
  extractScriptPath,
  hashCode,
  setupFileWatcher,
  version,
};
