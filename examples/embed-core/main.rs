//! Swaps a server without the `mcp-twin` command: `cargo add mcp-twin-core`, and the world is yours.
//!
//!     cargo run -p mcp-twin-examples --bin embed-core
//!
//! The server (`server.rs`) greets whoever is named to it; its code is one file with the greeting. The host (`host.rs`)
//! starts it, proves it healthy and routes to it; the swap machine of the core decides when. No MCP is spoken here: the
//! machine does not care what a server serves.

mod host;
mod server;

use host::World;
use mcp_twin_core::drive::{Driver, Handle};
use mcp_twin_core::spec::Options;
use mcp_twin_core::swap::{Command, Outcome, Swap};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The server is this very program, so that the example needs no other.
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let [word, file] = &args[..]
        && word == "serve"
    {
        return Ok(server::serve(Path::new(file)));
    }
    let folder = tempfile::tempdir()?;
    let code = folder.path().join("greeting.txt");
    let world = Arc::new(World::new(&code));
    let (driver, handle) = Driver::new(Swap::new(Options::default()), World::host(&world));
    // The driver runs until the last handle is dropped.
    let told = async move {
        let told = story(&world, &handle, &code).await;
        drop(handle);
        told
    };
    let (told, ()) = tokio::join!(told, driver.run());
    told.map(|()| ExitCode::SUCCESS)
}

async fn story(world: &World, handle: &Handle, code: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::write(code, "Hello")?;
    tell(&handle.command(Command::Start).await);
    println!("  {}", world.greet("Ada").await?);

    std::fs::write(code, "Ahoy")?;
    tell(&handle.command(Command::Swap { force: false }).await);
    println!("  {}", world.greet("Ada").await?);

    // This one does not even start. Nobody who asks for a greeting notices.
    std::fs::write(code, "")?;
    tell(&handle.command(Command::Swap { force: false }).await);
    println!("  {}", world.greet("Ada").await?);

    // The twin that served before still runs, so that going back takes no start.
    tell(&handle.command(Command::Rollback { to: None }).await);
    println!("  {}", world.greet("Ada").await?);

    tell(&handle.command(Command::Stop).await);
    Ok(())
}

fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Started { active } => println!("generation {} serves", active.source.generation),
        Outcome::Swapped { active, .. } => println!("generation {} took over", active.source.generation),
        Outcome::RolledBack { active, .. } => println!("generation {} serves again", active.source.generation),
        Outcome::Failed { fault, .. } => println!("refused: {fault} ({})", fault.first_line()),
        Outcome::Stopped { ended } => println!("stopped {} twins", ended.len()),
        other => println!("{other:?}"),
    }
}
