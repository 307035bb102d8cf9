'use strict';
// What is asked of the machine without a front.

const native = require('./native.js');
const { thrown } = require('./error.js');
const { camel } = require('./link.js');

/** The servers that the clients of this machine start by a command, each once. */
function detectMCPServers({ project } = {}) {
  return camel(JSON.parse(thrown(() => native.detectMcpServers(project))));
}

/** The script that a server's command runs, if it runs one. */
function extractScriptPath({ command, args = [], cwd }) {
  return thrown(() => native.extractScriptPath(command, args, cwd)) ?? undefined;
}

/** The 32-bit string hash by which ports are found, as an absolute value. */
function hashCode(text) {
  return native.hashCode(text);
}

/** The ports of the twins of a server of this name. */
function assignPorts(name) {
  return native.assignPorts(name);
}

module.exports = { assignPorts, detectMCPServers, extractScriptPath, hashCode, version: native.version() };
