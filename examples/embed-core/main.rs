//! Swaps a server without mcp-twin's command: `cargo add mcp-twin-core`, and the world is yours.
//!
//!     cargo run -p mcp-twin-examples --bin embed-core
//!
//! The server is a line server that greets whoever is named to it (`server`); its code is one file with the greeting. The
//! host (`host`) starts it, proves it and routes to it; the swap machine of the core decides when. No MCP is spoken here:
//! the machine does not know what a server serves.

mod host;
mod server;

use host::World;
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::spec::Options;
use mcp_twin_core::swap::{Command, Outcome, Swap};
use std::error::Error;
use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The server is this very program, so that the example needs no other.
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let [word, file] = &args[..]
        && word == "serve"
    {
        return Ok(server::serve(Path::new(file))?);
    }
    let folder = tempfile::tempdir()?;
    let code = folder.path().join("greeting.txt");
    let world = World::new(&code);
    let (driver, handle) = Driver::new(Swap::new(Options::default()), world.host());
    let told = story(&world, &handle, &code);
    // The driver runs as long as there is a handle; the story ends by stopping every twin.
    let (told, ()) = tokio::join!(async { told.await.map(|()| drop(handle)) }, driver.run());
    told
}
