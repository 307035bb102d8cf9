//! What a twin is told through its command line and its environment.

use super::TwinsOrder;
use crate::run::Variables;
use mcp_twin_core::host::SpawnOrder;
use mcp_twin_core::{Generation, Slot};

/// Stands for the twin's port.
const PORT: &str = "{port}";

/// How a twin is called in the log.
pub(crate) fn name_of(slot: Slot, generation: Generation) -> String {
    format!("{slot} generation {generation}")
}

/// What every twin finds in its environment, beside its token.
pub(crate) fn variables(server: &str, front: &str, order: &SpawnOrder) -> Vec<(String, String)> {
    let slot = match order.slot {
        Slot::A => "A",
        Slot::B => "B",
        Slot::Extra => "extra",
    };
    vec![
        ("MCP_TWIN_SERVER".to_owned(), server.to_owned()),
        ("MCP_TWIN_FRONT".to_owned(), front.to_owned()),
        ("MCP_TWIN_SLOT".to_owned(), slot.to_owned()),
        ("MCP_TWIN_GENERATION".to_owned(), order.source.generation.to_string()),
    ]
}

/// The environment of an HTTP twin. The user's own `PORT` wins over ours, ours over theirs else.
pub(super) fn of_http(twins: &TwinsOrder, own: &Variables, order: &SpawnOrder, port: u16) -> Vec<(String, String)> {
    let own = own.iter().map(|(name, value)| (name.clone(), filled(value, port)));
    let mut env = vec![("PORT".to_owned(), port.to_string())];
    env.extend(own);
    env.push(("MCP_TWIN_PORT".to_owned(), port.to_string()));
    env.extend(variables(twins.server.name.as_str(), &twins.front, order));
    env
}

/// The command with the port in its arguments.
pub(super) fn filled_command(command: &[String], port: u16) -> Vec<String> {
    let program = command.iter().take(1).cloned();
    program.chain(command.iter().skip(1).map(|word| filled(word, port))).collect()
}

fn filled(text: &str, port: u16) -> String {
    text.replace(PORT, &port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_stands_in_every_argument_that_asks_for_it() {
        let command = ["./{port}", "--port={port}", "http://localhost:{port}/x:{port}", "{ports}"];
        let filled = filled_command(&command.map(str::to_owned), 8100);
        assert_eq!(filled, ["./{port}", "--port=8100", "http://localhost:8100/x:8100", "{ports}"]);
        assert_eq!(filled_command(&[], 1), Vec::<String>::new());
    }
}
