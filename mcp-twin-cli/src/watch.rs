//! `mcp-twin status --watch`: the status again and again, in place on a terminal.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::count;
use crate::screen::Screen;
use crate::status::Seen;
use crate::terminal::{self, Input, Taken};
use crate::top::key::Key;
use mcp_twin_runtime::home::Home;
use ratatui::crossterm::cursor::MoveTo;
use ratatui::crossterm::queue;
use ratatui::crossterm::terminal::{Clear, ClearType, size};
use std::io::{self, Write as _, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Shows every front that is meant until somebody ends it.
pub(crate) fn watch(home: &Home, server: Option<&str>, interval: Duration, json: bool) -> Result<Exit, Failure> {
    // A server that is not known, or that could be several, will not be so by waiting.
    let mut seen = Seen::look(home, server);
    if let Err(failure) = &seen
        && failure.exit() == Exit::Usage
    {
        return Err(failure.clone());
    }
    let (send, inputs) = sync_channel(16);
    let take = move |input| send.send(input).is_ok();
    let taken = if !json && terminal::is_there() {
        let taken = Taken::take().map_err(|error| Failure::usage(format!("the terminal cannot be used: {error}")))?;
        terminal::listen(take);
        Some(taken)
    } else {
        terminal::listen_for_the_end(take);
        None
    };
    let mut first = true;
    loop {
        let shown = Instant::now();
        let told = match &taken {
            Some(_) => draw(&text(&seen)).is_ok(),
            None if json => told(&seen),
            None => Screen::printed(&if first { text(&seen) } else { format!("\n{}", text(&seen)) }),
        };
        first = false;
        let over = !told || wait(&inputs, shown + interval, || taken.as_ref().map(|_| draw(&text(&seen))));
        // A panic has given the terminal back, and says so itself.
        if taken.as_ref().is_some_and(|taken| !taken.is_ours()) {
            return Ok(Exit::Bug);
        }
        if over {
            return Ok(Exit::Fine);
        }
        seen = Seen::look(home, server);
    }
}

fn text(seen: &Result<Seen, Failure>) -> String {
    match seen {
        Ok(seen) => seen.text(),
        Err(failure) => failure.text(),
    }
}

/// One document a line; whether somebody still reads.
fn told(seen: &Result<Seen, Failure>) -> bool {
    match seen {
        Ok(seen) => Screen::json_line(&seen.document()),
        Err(failure) => Screen::json_line(&failure.document()),
    }
}

/// Waits for the next look; `true` if there is to be none.
fn wait(inputs: &Receiver<Input>, until: Instant, mut again: impl FnMut() -> Option<io::Result<()>>) -> bool {
    loop {
        match inputs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Input::Key(key)) if Key::of(key) == Some(Key::Quit) => return true,
            Ok(Input::Over) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(Input::Resized) => drop(again()),
            Ok(Input::Key(_)) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Draws a text over the one before. What does not fit is counted.
fn draw(text: &str) -> io::Result<()> {
    let (_, rows) = size()?;
    let room = usize::from(rows.saturating_sub(1));
    let text = if terminal::has_colours() { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
    let more = text.lines().count().saturating_sub(room);
    let hint = if more == 0 { "q ends it".to_owned() } else { format!("… {} more; q ends it", count(more, "line")) };
    let mut out = stdout().lock();
    queue!(out, MoveTo(0, 0))?;
    for line in text.lines().take(room) {
        write!(out, "{line}")?;
        queue!(out, Clear(ClearType::UntilNewLine))?;
        write!(out, "\r\n")?;
    }
    queue!(out, Clear(ClearType::FromCursorDown), MoveTo(0, rows.saturating_sub(1)))?;
    write!(out, "{hint}")?;
    out.flush()
}
