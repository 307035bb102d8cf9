//! `mcp-twin top`: all servers on one screen, and keys for what is done with them.
//!
//! Three parts that know little of each other: the [`model`] (what is known, and what follows of a key or an answer; pure),
//! the [`view`] (the model as text; pure), and the [`world`] (which asks the fronts and reads files, each on a thread of its
//! own, so that nothing that hangs can stop the screen).

pub(crate) mod key;
mod model;
mod view;
mod world;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::{self, Input, Taken};
use key::Key;
use mcp_twin_runtime::home::Home;
use model::{Message, Model};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::stdout;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use world::World;

/// So many answers may wait for the screen; who has more waits for it.
const WAITING: usize = 256;

/// Shows the screen until somebody ends it.
pub(crate) fn top(home: &Home, interval: Duration, json: bool) -> Result<Exit, Failure> {
    if json {
        return Err(refused("a screen is no JSON document"));
    }
    if !terminal::is_there() {
        return Err(refused(
            "`top` needs a terminal: standard input and output must be one, and TERM must not be `dumb`",
        ));
    }
    let unusable = |error: std::io::Error| refused(&format!("the terminal cannot be used: {error}"));
    let taken = Taken::take().map_err(unusable)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(unusable)?;
    let (send, messages) = sync_channel(WAITING);
    let inputs = send.clone();
    terminal::listen(move |input| {
        let message = match input {
            Input::Key(key) => Key::of(key).map(Message::Key),
            Input::Resized => Some(Message::Redraw),
            Input::Over => Some(Message::Key(Key::Quit)),
        };
        message.is_none_or(|message| inputs.send(message).is_ok())
    });
    let world = World::new(home.clone(), send);
    let mut model = Model::new(terminal::has_colours());
    let begun = Instant::now();
    let mut tick = begun;
    while !model.is_over() {
        if Instant::now() >= tick {
            tick = Instant::now() + interval;
            step(&mut model, &world, Message::Tick, begun);
        }
        // A terminal that is gone is the end too.
        if terminal.draw(|frame| view::draw(frame, &model)).is_err() || !taken.is_ours() {
            break;
        }
        let Some(first) = next(&messages, tick) else { continue };
        step(&mut model, &world, first, begun);
        // What came meanwhile is drawn at once, but not more than once.
        for message in messages.try_iter().take(WAITING) {
            step(&mut model, &world, message, begun);
        }
    }
    // A panic has given the terminal back, and says so itself.
    Ok(if taken.is_ours() { Exit::Fine } else { Exit::Bug })
}

fn next(messages: &Receiver<Message>, until: Instant) -> Option<Message> {
    match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(message) => Some(message),
        Err(RecvTimeoutError::Timeout) => None,
        // The threads that listen end with the screen only.
        Err(RecvTimeoutError::Disconnected) => Some(Message::Key(Key::Quit)),
    }
}

fn step(model: &mut Model, world: &World, message: Message, begun: Instant) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for effect in model.update(message, model::Now { since: begun.elapsed(), wall }) {
        world.carry_out(effect);
    }
}

fn refused(message: &str) -> Failure {
    Failure::usage(message)
        .advise("without a terminal", "mcp-twin status --watch")
        .advise("for programs", "mcp-twin status --watch --json")
}
