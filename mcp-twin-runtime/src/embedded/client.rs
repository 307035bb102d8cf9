//! The client's end of a stdio front, in the process that is its client: lines in and out.
//!
//! Between the two stand pipes of the system, so that the front is the very one that `mcp-twin run` is. Two tasks on the
//! front's thread move lines between the pipes and two queues, which anybody can wait for. Both queues are bounded, by lines
//! and by bytes.

use crate::pipes::{Descriptor, Input, Line, Lines, Output};
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// So many lines wait on either way.
const LINES: usize = 256;
/// So many bytes do. A larger line passes alone.
const BYTES: u32 = 1 << 20;
/// So much is written at once.
const BATCH: usize = 64 << 10;

/// A line on its way, and the room that it takes.
type Queued = (Vec<u8>, OwnedSemaphorePermit);

/// Why a line was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The front has ended.
    #[error("the front has ended")]
    Closed,
    /// A message is one line.
    #[error("a message must not hold a line break")]
    Broken,
}

/// Both directions between a client and its front.
#[derive(Debug)]
pub struct ClientPipe {
    sender: ClientSender,
    receiver: ClientReceiver,
}

/// What the client says. Cheap to clone; with the last one dropped the client's input has ended, and the front ends.
#[derive(Clone, Debug)]
pub struct ClientSender {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// Finds what the client says with as long as somebody else holds it.
#[derive(Debug)]
pub(crate) struct WeakClientSender {
    queue: mpsc::WeakSender<Queued>,
    room: Arc<Semaphore>,
}

impl WeakClientSender {
    pub(crate) fn upgrade(&self) -> Option<ClientSender> {
        Some(ClientSender { queue: self.queue.upgrade()?, room: Arc::clone(&self.room) })
    }
}

/// What the front says.
#[derive(Debug)]
pub struct ClientReceiver(mpsc::Receiver<Queued>);

impl ClientPipe {
    /// Sends one message.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, line: Vec<u8>) -> Result<(), SendError> {
        self.sender.send(line).await
    }

    /// The next message; nothing once the front has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        self.receiver.recv().await
    }

    /// The two directions apart.
    #[must_use]
    pub fn split(self) -> (ClientSender, ClientReceiver) {
        (self.sender, self.receiver)
    }
}

impl ClientSender {
    /// Sends one message, without its line end; waits for room.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, mut line: Vec<u8>) -> Result<(), SendError> {
        if memchr::memchr(b'\n', &line).is_some() {
            return Err(SendError::Broken);
        }
        line.push(b'\n');
        let room = reserve(&self.room, line.len()).await.ok_or(SendError::Closed)?;
        self.queue.send((line, room)).await.map_err(|_| SendError::Closed)
    }
}

impl ClientSender {
    /// For whoever must not keep the client's input open.
    pub(crate) fn downgrade(&self) -> WeakClientSender {
        WeakClientSender { queue: self.queue.downgrade(), room: Arc::clone(&self.room) }
    }

    /// Sends one message if there is room for it now.
    ///
    /// # Errors
    /// The message itself: there is no room, the front has ended, or it holds a line break.
    pub fn try_send(&self, mut line: Vec<u8>) -> Result<(), Vec<u8>> {
        if memchr::memchr(b'\n', &line).is_some() {
            return Err(line);
        }
        let wanted = u32::try_from(line.len() + 1).unwrap_or(BYTES).min(BYTES);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(wanted) else { return Err(line) };
        line.push(b'\n');
        self.queue.try_send((line, room)).map_err(|refused| {
            let (mut line, _room) = refused.into_inner();
            line.pop();
            line
        })
    }
}

impl ClientReceiver {
    /// The next message, without its line end; nothing once the front has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        self.0.recv().await.map(|(line, _room)| line)
    }
}

/// The front's descriptors, to read from and to write to.
pub(super) type Ours = (Descriptor, Descriptor);

/// The client's descriptors, not used yet.
pub(super) struct Theirs {
    to_front: Descriptor,
    from_front: Descriptor,
}

/// Pipes between a front and its client.
pub(super) fn pair() -> io::Result<(Ours, Theirs)> {
    let (front_reads, client_writes) = io::pipe()?;
    let (client_reads, front_writes) = io::pipe()?;
    let theirs = Theirs { to_front: client_writes.into(), from_front: client_reads.into() };
    Ok(((front_reads.into(), front_writes.into()), theirs))
}

impl Theirs {
    /// Moves lines between the pipes and the client from now on. Must be called on the front's runtime.
    pub(super) fn relay(self) -> io::Result<ClientPipe> {
        let (pipe, _) = relay(self.to_front, self.from_front)?;
        Ok(pipe)
    }
}

/// The tasks that move lines between a client and two descriptors.
pub(crate) struct Movers {
    /// Ended, it closes what the client writes to.
    pub(crate) to: JoinHandle<()>,
    /// It ends with what the client reads from.
    pub(crate) from: JoinHandle<()>,
}

/// Moves lines between a client and whoever has the other ends of these, from now on, on the current runtime.
pub(crate) fn relay(to: Descriptor, from: Descriptor) -> io::Result<(ClientPipe, Movers)> {
    let output = Output::new(to)?;
    let lines = Lines::new(Input::new(from)?, usize::MAX);
    let (queue, sent) = mpsc::channel(LINES);
    let (told, receiver) = mpsc::channel(LINES);
    let room = || Arc::new(Semaphore::new(BYTES as usize));
    let movers = Movers { to: tokio::spawn(pass_in(sent, output)), from: tokio::spawn(pass_out(lines, told, room())) };
    let sender = ClientSender { queue, room: room() };
    Ok((ClientPipe { sender, receiver: ClientReceiver(receiver) }, movers))
}

/// Room for a line of this length; one that is larger than all there is takes all there is.
async fn reserve(room: &Arc<Semaphore>, length: usize) -> Option<OwnedSemaphorePermit> {
    let wanted = u32::try_from(length).unwrap_or(BYTES).min(BYTES);
    Arc::clone(room).acquire_many_owned(wanted).await.ok()
}

async fn pass_in(mut sent: mpsc::Receiver<Queued>, output: Output) {
    while let Some((mut bytes, mut rooms)) = sent.recv().await {
        while bytes.len() < BATCH
            && let Ok((line, room)) = sent.try_recv()
        {
            bytes.extend_from_slice(&line);
            rooms.merge(room);
        }
        let mut written = 0;
        let mut gone = false;
        output
            .when_writable(|| {
                while written < bytes.len() && !gone {
                    match output.try_write(&bytes[written..]) {
                        Ok(more) => written += more,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                        Err(_) => gone = true,
                    }
                }
                true
            })
            .await;
        if written < bytes.len() {
            return;
        }
    }
}

async fn pass_out(mut lines: Lines, told: mpsc::Sender<Queued>, room: Arc<Semaphore>) {
    while let Ok(true) = lines.fill().await {
        while let Some(line) = lines.next_line() {
            let (Line::Whole(line) | Line::Oversize(line)) = line;
            let line = line.to_vec();
            // Whoever does not read stops the front, which stops its twins: as a slow client does.
            let Some(taken) = reserve(&room, line.len()).await else { return };
            if told.send((line, taken)).await.is_err() {
                return;
            }
        }
    }
}
