#!/usr/bin/env node
'use strict';
// The `mcp-twin` command: becomes the native program of this platform, or stands before it as if it were.

const { spawn } = require('node:child_process');
const { accessSync, constants: fs } = require('node:fs');
const { constants } = require('node:os');
const { binary, platform } = require('../lib/platform.js');

/** What a shell says of a command that it cannot find. */
const NOT_FOUND = 127;

/** What others send to end a program, or to tell it something; the rest cannot be caught, or is Node's own. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'];

const program = binary();
const words = process.argv.slice(2);
if (program === undefined) {
  console.error(
    `mcp-twin: there is no program for ${platform()}: install it with \`npm i mcp-twin-${platform()}\` ` +
      '(an optional dependency of mcp-twin, which `--omit=optional` leaves out), or build it with `cargo install mcp-twin-cli`',
  );
  process.exit(NOT_FOUND);
}
become(program, words);
stand(program, words);

/** Replaces this process by the program, where Node and the system can (Node 22.15, 23.11 and newer, not on Windows). */
function become(program, words) {
  if (typeof process.execve !== 'function' || process.platform === 'win32') return;
  try {
    // Node aborts where it cannot become what it should; why it cannot be run is said below.
    accessSync(program, fs.X_OK);
  } catch {
    return;
  }
  // That it is experimental would be said on the standard error of every server.
  process.emitWarning = () => {};
  process.execve(program, [program, ...words], process.env);
}

/** Runs the program on this process's own streams, passes signals on to it, and ends as it does. */
function stand(program, words) {
  const child = spawn(program, words, { stdio: 'inherit' });
  const handlers = new Map();
  for (const signal of SIGNALS.filter((signal) => signal in constants.signals)) {
    const handler = () => child.kill(signal);
    handlers.set(signal, handler);
    try {
      process.on(signal, handler);
    } catch {
      // This system has it by name only.
    }
  }
  child.on('error', (error) => {
    console.error(`mcp-twin: ${program} cannot be run: ${error.message}`);
    process.exit(NOT_FOUND - 1);
  });
  child.on('exit', (status, signal) => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
    if (signal === null) process.exit(status);
    process.kill(process.pid, signal);
  });
}
