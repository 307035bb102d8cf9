import twin from './index.js';

export const {
  TwinError,
  TwinManager,
  assignPorts,
  createFront,
  detectMCPServers,
  extractScriptPath,
  hashCode,
  setupFileWatcher,
  version,
} = twin;
