//! What lies between a client and an endpoint over HTTP: it carries bytes as they are, counts streams, and can be cut, as
//! networks are.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A cable to one endpoint. Dropped, it is cut and takes no new connection.
#[derive(Debug)]
pub struct Cable {
    url: String,
    own: std::net::SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ends: Mutex<Vec<TcpStream>>,
    gets: AtomicUsize,
    over: AtomicBool,
}

impl Cable {
    /// A cable to this URL (`http://127.0.0.1:PORT/mcp`).
    #[must_use]
    pub fn to(url: &str) -> Self {
        let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("no http URL: {url}"));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (host, path, carried) = (host.to_owned(), path.to_owned(), shared.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if carried.over.load(Ordering::SeqCst) {
                    return;
                }
                // Nobody there: the client finds its connection closed.
                if let Ok(server) = TcpStream::connect(&host) {
                    carried.join(client, server);
                }
            }
        });
        Self { url: format!("http://{own}/{path}"), own, shared }
    }

    /// The endpoint, by way of this cable.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many times a client has asked for a stream (GET).
    #[must_use]
    pub fn gets(&self) -> usize {
        self.shared.gets.load(Ordering::SeqCst)
    }

    /// All connections end where they are; new ones are taken.
    pub fn cut(&self) {
        for end in self.shared.ends.lock().expect("no panic while cutting").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // So that the thread which takes connections sees it.
        let _ = TcpStream::connect(self.own);
        self.cut();
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        for (from, to, counts) in [(&client, &server, true), (&server, &client, false)] {
            let _ = from.set_nodelay(true);
            let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
            let shared = self.clone();
            std::thread::spawn(move || shared.carry(from, to, counts));
        }
        let mut ends = self.ends.lock().expect("no panic while joining");
        // What has ended by itself need not be cut.
        ends.retain(|end| end.peer_addr().is_ok());
        ends.extend([client, server]);
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, counts: bool) {
        let mut piece = [0; 1 << 14];
        loop {
            match from.read(&mut piece) {
                Ok(count) if count > 0 => {
                    // A client sends a request only when the one before was answered: it begins a piece.
                    if counts && piece.starts_with(b"GET ") {
                        self.gets.fetch_add(1, Ordering::SeqCst);
                    }
                    if to.write_all(&piece[..count]).is_ok() {
                        continue;
                    }
                }
                _ => {}
            }
            // One end is gone: so is the other, as it would be without a cable.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}
