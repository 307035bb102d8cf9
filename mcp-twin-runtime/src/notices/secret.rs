//! Secrets, read where they are kept, when they are needed. Errors name the place and never the value.

use mcp_twin_core::notify::Given;
use std::fs::File;
use std::io::Read;

/// A longer first line is no secret.
const LONGEST: u64 = 16 << 10;

/// The secret that is kept there.
pub fn read(given: &Given) -> Result<String, String> {
    let text = match given {
        Given::Variable(name) => variable(name)?,
        Given::File(path) => {
            let at = path.display();
            let mut text = String::new();
            let file = File::open(path).map_err(|error| format!("{at} cannot be read: {error}"))?;
            if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                return Err(format!("{at} is no file"));
            }
            file.take(LONGEST).read_to_string(&mut text).map_err(|error| format!("{at} cannot be read: {error}"))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    let text = text.trim();
    if text.is_empty() { Err(format!("{given} is empty")) } else { Ok(text.to_owned()) }
}

/// The value of a variable of this process.
pub fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => format!("the variable {name} is not set where mcp-twin was started"),
        std::env::VarError::NotUnicode(_) => format!("the variable {name} is not Unicode text"),
    })
}
