//! The fixture tools on rmcp: the version and the extra tools stand in the executable itself, in [`CONSTANTS`], so that a
//! test edits a compiled server by writing another executable.
#![allow(clippy::expect_used)] // A fixture: its panics are its failures.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// A JSON object behind a mark, filled up with blanks. `tests/src/server.rs` writes it anew.
static CONSTANTS: [u8; 256] = *include_bytes!("rmcp_server/constants");

struct Fixture {
    version: String,
    extra: Vec<String>,
}

impl Fixture {
    fn new() -> Self {
        // Opaque to the compiler, which would otherwise parse what was there when it built the file.
        let constants = std::hint::black_box(&CONSTANTS);
        let begin = constants.iter().position(|byte| *byte == b'{').expect("constants behind the mark");
        let value: Value = serde_json::from_slice(&constants[begin..]).expect("constants as JSON");
        let names = value["EXTRA_TOOLS"].as_array().into_iter().flatten();
        Self {
            version: value["VERSION"].as_str().unwrap_or_default().to_owned(),
            extra: names.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        }
    }

    fn record(&self, tool: &str, key: Option<&str>) {
        let Some(path) = std::env::var_os("FIXTURE_RECORD") else { return };
        let line = json!({"pid": std::process::id(), "version": self.version, "tool": tool, "key": key});
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the record");
        file.write_all(format!("{line}\n").as_bytes()).expect("a line of the record");
    }

    fn tools(&self) -> Vec<Tool> {
        let tool = |name: String, schema: Value| {
            let schema = schema.as_object().cloned().unwrap_or_default();
            Tool::new(name, "a tool of the fixture", schema)
        };
        let text = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
        let both = json!({"ms": {"type": "integer"}, "key": {"type": "string"}});
        let work = json!({"type": "object", "properties": both, "required": ["ms", "key"]});
        let mut tools = vec![tool("echo".to_owned(), text), tool("work".to_owned(), work)];
        let plain = std::iter::once("version").chain(self.extra.iter().map(String::as_str));
        tools.extend(plain.map(|name| tool(name.to_owned(), json!({"type": "object"}))));
        tools
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let key = arguments["key"].as_str();
        let text = match request.name.as_ref() {
            "echo" => {
                self.record("echo", None);
                arguments["text"].as_str().unwrap_or_default().to_owned()
            }
            "work" => {
                self.record("work", key);
                tokio::time::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or_default())).await;
                json!({"version": self.version, "pid": std::process::id(), "key": key}).to_string()
            }
            name if name == "version" || self.extra.iter().any(|extra| extra == name) => {
                self.record(name, None);
                self.version.clone()
            }
            name => return Err(ErrorData::invalid_params(format!("no tool is called {name}"), None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = Fixture::new().serve(rmcp::transport::stdio()).await.expect("a client that opens");
    server.waiting().await.expect("a server that ends in order");
}
