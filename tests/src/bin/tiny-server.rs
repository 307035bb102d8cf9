//! An MCP server that runs wherever this repository builds, with nothing installed: for the tests of every system.
//!
//! `tiny-server FILE`: its version is what FILE holds at the start; `broken` does not start.
//! `tiny-server hold ADDRESS`: what the tool `hold` starts; it connects there and stays until it is ended.
#![allow(clippy::expect_used)] // A fixture: its panics are its failures.

use mcp_twin_tests::tiny;
use serde_json::{Value, json};
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, address] if word == "hold" => stay(address),
        [file] => serve(std::fs::read_to_string(file).expect("the file of its code").trim()),
        _ => panic!("tiny-server FILE"),
    }
}

fn serve(version: &str) {
    if version == "broken" {
        eprintln!("error: this code does not start");
        std::process::exit(7);
    }
    let (mut connections, mut children) = (Vec::new(), Vec::new());
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let call = &message["params"];
        let answer = if message["method"] == "tools/call" && call["name"] == "hold" {
            let address = call["arguments"]["address"].as_str().expect("an address");
            // One connection of its own, and one of a process of its own.
            connections.push(TcpStream::connect(address).expect("the test listens"));
            let me = std::env::current_exe().expect("its own path");
            let mut child = Command::new(me);
            child.args(["hold", address]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Not waited for: whoever ends this process has to see to it.
            children.push(child.spawn().expect("a child"));
            Some(json!({"jsonrpc": "2.0", "id": message["id"], "result": tiny::text("held")}))
        } else {
            tiny::answer(&message, version, &["version", "echo", "hold"])
        };
        if let Some(answer) = answer {
            let mut out = std::io::stdout().lock();
            out.write_all(format!("{answer}\n").as_bytes()).and_then(|()| out.flush()).expect("somebody reads");
        }
    }
}

/// Until the test itself is gone.
fn stay(address: &str) {
    let mut stream = TcpStream::connect(address).expect("the test listens");
    let _ = stream.read(&mut [0]);
}
