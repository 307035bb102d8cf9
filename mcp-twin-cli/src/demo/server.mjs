// The server of `mcp-twin demo`: MCP over stdio with Node alone. It is edited while it runs.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const VERSION = "v1";
const TOOLS = ["version", "slow"];

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");

// Every call that is begun is written down, so that one that ran twice is seen twice.
const answer = (id, call, millis) => {
  appendFileSync(process.env.MCP_TWIN_DEMO_JOURNAL, `${call}\n`);
  const reply = () => send({ id, result: { content: [{ type: "text", text: `${VERSION}: call ${call}` }] } });
  if (millis) setTimeout(reply, millis);
  else reply();
};

const listed = (name) => ({ name, description: "Says which version answers", inputSchema: { type: "object" } });

console.error(`demo server ${VERSION} starts`);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue;
  if (method === "initialize") {
    const serverInfo = { name: "mcp-twin-demo", version: VERSION };
    const capabilities = { tools: { listChanged: true } };
    send({ id, result: { protocolVersion: params.protocolVersion, capabilities, serverInfo } });
  } else if (method === "ping") {
    send({ id, result: {} });
  } else if (method === "tools/list") {
    send({ id, result: { tools: TOOLS.map(listed) } });
  } else if (method === "tools/call") {
    answer(id, params.arguments.call, params.name === "slow" ? 1000 : 0);
  } else {
    send({ id, error: { code: -32601, message: "no such method" } });
  }
}
