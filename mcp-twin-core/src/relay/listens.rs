//! `subscriptions/listen` of the modern era: one long request of the client, kept open over any number of twins.
//!
//! Each twin that serves has a request of ours for it. What a twin says on it goes to the client under the client's id,
//! if that twin serves; the second and later acknowledgements do not, nor does the end of a stream whose twin serves no
//! more.

use super::diff::ListKind;
use super::era::{self, Envelope, SUBSCRIPTION};
use super::frame::{self, Frame};
use super::ids::{self, ClientId};
use super::lists::notice_of;
use super::opening::Opening;
use super::outbox::{Digits, Outbox};
use super::{Relay, client};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use std::collections::BTreeMap;
use std::ops::Range;

/// A client may have so many open.
pub(super) const LISTENS: usize = 64;

/// The members of a filter that are about lists: tools, prompts, resources.
const LISTS: [&str; 3] = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];

/// A listen of the client.
#[derive(Debug)]
pub(super) struct Listen {
    id: ClientId,
    /// The client's request, as it came, and where its id stands.
    text: Box<str>,
    span: Range<usize>,
    /// What the client was told that it gets; nothing until it has an acknowledgement.
    granted: Option<Filter>,
    /// Where it is open.
    at: BTreeMap<TwinId, Stream>,
    /// The metadata, if its acknowledgement may settle the era.
    settles: Option<Box<Envelope>>,
}

/// A listen at one twin.
#[derive(Debug)]
struct Stream {
    number: u64,
    /// The ledger waits for its acknowledgement.
    replayed: bool,
    /// The acknowledgement that the client has not seen, for the flip.
    ack: Option<Box<str>>,
    /// The twin has ended or refused it.
    ended: bool,
}

/// Which notifications a listen is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filter {
    lists: [bool; 3],
    /// URIs, as JSON.
    uris: Vec<Box<str>>,
}

impl Filter {
    /// Reads `params.notifications`.
    fn read(params: Option<&str>) -> Self {
        let Some(filter) = params.and_then(|params| frame::member(params, "notifications")) else {
            return Self::default();
        };
        let uris = frame::member(filter, "resourceSubscriptions").map(frame::elements).unwrap_or_default();
        Self {
            lists: LISTS.map(|name| frame::member(filter, name) == Some("true")),
            uris: uris.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether everything of `other` is in it.
    fn covers(&self, other: &Self) -> bool {
        let lists = self.lists.iter().zip(other.lists).all(|(has, wants)| *has || !wants);
        lists && other.uris.iter().all(|uri| self.uris.contains(uri))
    }
}

impl Listen {
    /// The client's id of it.
    pub(super) fn id(&self) -> &ClientId {
        &self.id
    }

    /// With tools of our own the list may change, whatever the server says of its own: what is written where in an
    /// acknowledgement so that a client that asked for it knows.
    fn promise(&self, ack: &Frame<'_>, filter: &mut Filter) -> Option<(Range<usize>, String)> {
        let asked = Frame::read(self.text.as_bytes()).ok().map(|frame| Filter::read(frame.params));
        if filter.lists[0] || !asked.is_some_and(|asked| asked.lists[0]) {
            return None;
        }
        let granted = frame::member(ack.params?, "notifications").filter(|granted| granted.starts_with('{'))?;
        filter.lists[0] = true;
        if let Some(flag) = frame::member(granted, LISTS[0]) {
            return Some((ack.span(flag), "true".to_owned()));
        }
        let at = ack.span(granted).start + 1;
        let alone = frame::members(granted).is_empty();
        Some((at..at, format!("\"{}\":true{}", LISTS[0], if alone { "" } else { "," })))
    }

    fn acknowledge(&self, client: &mut Outbox, ack: &Frame<'_>, raw: &str, promised: Option<&(Range<usize>, String)>) {
        self.id.with_bytes(|id| {
            let mut parts = vec![(ack.span(raw), id)];
            parts.extend(promised.map(|(at, text)| (at.clone(), text.as_bytes())));
            client.splice(ack.text, &mut parts);
        });
    }
}

impl Relay {
    /// The client asks to listen. `to` is the twin that serves; without one it is opened at the next that does.
    pub(super) fn client_listens(&mut self, frame: &Frame<'_>, id: ClientId, raw_id: &str, to: Option<TwinId>) {
        let bytes: usize = self.listens.values().map(|listen| listen.text.len()).sum();
        if self.listens.len() >= self.limits.listens || bytes > self.limits.hold_bytes {
            let fault = Fault::new(Code::Busy, "too many subscriptions are open; end one before you open another");
            return self.answer_error(&id, &fault);
        }
        let key = self.number();
        self.names.insert(id.token.clone(), key);
        let (text, span, at) = (frame.text.into(), frame.span(raw_id), BTreeMap::new());
        let listen = Listen { id, text, span, granted: None, at, settles: self.settling(frame.params) };
        self.listens.insert(key, listen);
        if let Some(twin) = to {
            self.open_stream(key, twin, false);
        }
    }

    fn open_stream(&mut self, key: u64, twin: TwinId, replayed: bool) {
        let number = self.number();
        let (Some(listen), Some(state)) = (self.listens.get_mut(&key), self.twins.get_mut(&twin)) else { return };
        state.out.splice(&listen.text, &mut [(listen.span.clone(), Digits::new(number).bytes())]);
        listen.at.insert(twin, Stream { number, replayed, ack: None, ended: false });
        self.streams.insert(number, (key, twin));
    }

    /// Opens at the twin that waits for the client's opening what came before anything else.
    pub(super) fn offer_listens(&mut self, twin: TwinId) {
        if self.active().is_some() {
            return;
        }
        let missing = self.listens.iter().filter(|(_, listen)| !listen.at.contains_key(&twin)).map(|(key, _)| *key);
        for key in missing.collect::<Vec<_>>() {
            self.open_stream(key, twin, false);
        }
    }

    /// Opens at a twin what it has not; says how many acknowledgements are to come.
    pub(super) fn sync_listens(&mut self, twin: TwinId) -> usize {
        let missing = self.listens.iter().filter(|(_, listen)| !listen.at.contains_key(&twin)).map(|(key, _)| *key);
        let missing: Vec<u64> = missing.collect();
        for key in &missing {
            self.open_stream(*key, twin, true);
        }
        missing.len()
    }

    /// Whether this twin has every listen.
    pub(super) fn has_listens(&self, twin: TwinId) -> bool {
        self.listens.values().all(|listen| listen.at.contains_key(&twin))
    }

    /// Whether what a twin says on a listen is for the client.
    fn speaks(&self, twin: TwinId) -> bool {
        match self.active() {
            Some(active) => active == twin || (self.session.opener == Some(twin) && !self.has_served(twin)),
            // A listen may be the first thing that a client says: whoever has it speaks.
            None if matches!(self.opening, Opening::Waiting) => true,
            None => self.session.opener == Some(twin) && !self.has_served(twin),
        }
    }

    /// A notification of a twin with a subscription id, if it is one of ours.
    pub(super) fn twin_publishes(
        &mut self,
        twin: TwinId,
        frame: &Frame<'_>,
        name: &str,
        raw: &str,
        changed: &[ListKind],
        now: Moment,
    ) {
        let stream = ids::number(raw).and_then(|number| self.streams.get(&number).copied());
        let Some((key, _)) = stream.filter(|(_, owner)| *owner == twin) else {
            return self.log(twin, format!("published to a subscription that is not open: {}", excerpt(frame)));
        };
        if name == "notifications/subscriptions/acknowledged" {
            return self.acknowledged(key, twin, frame, raw, now);
        }
        let speaks = self.speaks(twin);
        // A task is reported by the twin that carries it out, whichever serves now.
        let owed = name.starts_with("notifications/tasks") && self.has_served(twin);
        let Some(listen) = self.listens.get(&key).filter(|listen| listen.granted.is_some()) else {
            return self.log(twin, format!("published before its acknowledgement: {}", excerpt(frame)));
        };
        if !speaks && !owed {
            return self.log(twin, format!("not passed on: {}", excerpt(frame)));
        }
        listen.id.with_bytes(|id| self.client.splice(frame.text, &mut [(frame.span(raw), id)]));
        for kind in changed {
            self.stale[notice_of(*kind)] = true;
        }
    }

    fn acknowledged(&mut self, key: u64, twin: TwinId, frame: &Frame<'_>, raw: &str, now: Moment) {
        // The answer to a listen comes at its end: what accepts it is the acknowledgement.
        if self.speaks(twin)
            && let Some(envelope) = self.listens.get_mut(&key).and_then(|listen| listen.settles.take())
        {
            self.settle_by(*envelope, twin, now);
        }
        let speaks = self.speaks(twin);
        let mut filter = Filter::read(frame.params);
        let announces = self.announces();
        let Some(listen) = self.listens.get_mut(&key) else { return };
        let promised = if announces { listen.promise(frame, &mut filter) } else { None };
        let Some(stream) = listen.at.get_mut(&twin) else { return };
        let replayed = std::mem::take(&mut stream.replayed);
        let less = match &listen.granted {
            Some(granted) => !filter.covers(granted),
            None if speaks => {
                listen.acknowledge(&mut self.client, frame, raw, promised.as_ref());
                listen.granted = Some(filter);
                false
            }
            None => {
                stream.ack = Some(frame.text.into());
                false
            }
        };
        if less {
            self.log(twin, "agreed to publish less than the client was told; it cannot be told of that");
        }
        if replayed {
            self.ledger_taken(twin, now);
        }
    }

    /// A twin answered a listen: the stream has ended, or was refused.
    pub(super) fn stream_answered(&mut self, number: u64, twin: TwinId, frame: &Frame<'_>, raw_id: &str, now: Moment) {
        let tag = era::subscription(frame.result);
        self.stream_ended(number, twin, now, |listen, to_client| {
            listen.id.with_bytes(|id| {
                let mut parts = vec![(frame.span(raw_id), id)];
                parts.extend(tag.map(|tag| (frame.span(tag), id)));
                to_client.splice(frame.text, &mut parts);
            });
        });
    }

    /// A twin ended a listen with `notifications/cancelled`.
    pub(super) fn stream_cancelled(&mut self, number: u64, twin: TwinId, frame: &Frame<'_>, raw: &str, now: Moment) {
        self.stream_ended(number, twin, now, |listen, to_client| {
            listen.id.with_bytes(|id| to_client.splice(frame.text, &mut [(frame.span(raw), id)]));
        });
    }

    fn stream_ended(&mut self, number: u64, twin: TwinId, now: Moment, tell: impl FnOnce(&Listen, &mut Outbox)) {
        let Some((key, _)) = self.streams.remove(&number) else { return };
        if self.speaks(twin) {
            // The server's own decision: the client hears of it, as it would without a front.
            if let Some(listen) = self.close_listen(key, Some(twin)) {
                tell(&listen, &mut self.client);
            }
            return;
        }
        let Some(stream) = self.listens.get_mut(&key).and_then(|listen| listen.at.get_mut(&twin)) else { return };
        stream.ended = true;
        let replayed = std::mem::take(&mut stream.replayed);
        self.log(twin, "ended or refused a subscription of the client");
        if replayed {
            self.ledger_taken(twin, now);
        }
    }

    /// Answers the listens that no twin has acknowledged with this reason.
    pub(super) fn refuse_listens(&mut self, fault: &Fault) {
        let pending: Vec<u64> =
            self.listens.iter().filter(|(_, at)| at.granted.is_none()).map(|(key, _)| *key).collect();
        for key in pending {
            if let Some(listen) = self.close_listen(key, None) {
                self.answer_error(&listen.id, fault);
            }
        }
    }

    /// The session is not, or no longer, one of the modern era.
    pub(super) fn refuse_modern_listens(&mut self) {
        let message = "the server does not speak 2026-07-28, so nothing can be subscribed to in this way";
        self.refuse_listens(&Fault::new(Code::BadMessage, message));
    }

    /// Forgets a listen and ends it at all twins but `except`.
    fn close_listen(&mut self, key: u64, except: Option<TwinId>) -> Option<Listen> {
        let listen = self.listens.remove(&key)?;
        self.names.remove(&listen.id.token);
        for (twin, stream) in listen.at.iter().filter(|(twin, stream)| Some(**twin) != except && !stream.ended) {
            self.streams.remove(&stream.number);
            self.cancel_at(*twin, stream.number, "the subscription is over");
        }
        Some(listen)
    }

    /// The client ends a listen. Whether `key` was one.
    pub(super) fn client_cancels_listen(&mut self, key: u64, now: Moment) -> bool {
        let waited: Vec<TwinId> = match self.listens.get(&key) {
            None => return false,
            Some(listen) => listen.at.iter().filter(|(_, at)| at.replayed).map(|(twin, _)| *twin).collect(),
        };
        self.close_listen(key, None);
        for twin in waited {
            self.ledger_taken(twin, now);
        }
        true
    }

    /// A twin is gone, and its streams with it.
    pub(super) fn drop_streams(&mut self, twin: TwinId) {
        self.streams.retain(|_, (_, owner)| *owner != twin);
        for listen in self.listens.values_mut() {
            listen.at.remove(&twin);
        }
    }

    /// A twin serves now: acknowledgements that the client has not seen go to it, and it is told of what may have
    /// changed while nobody could say so.
    pub(super) fn listens_moved(&mut self, to: TwinId, updates: bool) {
        let announces = self.announces();
        for listen in self.listens.values_mut() {
            if listen.granted.is_none()
                && let Some(text) = listen.at.get_mut(&to).and_then(|stream| stream.ack.take())
                && let Ok(frame) = Frame::read(text.as_bytes())
                && let Some(raw) = era::subscription(frame.params)
            {
                let mut filter = Filter::read(frame.params);
                let promised = if announces { listen.promise(&frame, &mut filter) } else { None };
                listen.acknowledge(&mut self.client, &frame, raw, promised.as_ref());
                listen.granted = Some(filter);
            } else if updates {
                for uri in listen.granted.iter().flat_map(|granted| &granted.uris) {
                    let tag = tag(&listen.id);
                    self.client.push(&format!(
                        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\
                         \"params\":{{\"uri\":{uri},{tag}}}}}"
                    ));
                }
            }
        }
    }

    /// Tells every listen that is for it that a list changed; whether there was one.
    pub(super) fn publish_change(&mut self, notice: usize) -> bool {
        let what = ["tools", "prompts", "resources"][notice];
        let wants = |listen: &&Listen| listen.granted.as_ref().is_some_and(|granted| granted.lists[notice]);
        let mut told = false;
        for listen in self.listens.values().filter(wants) {
            let tag = tag(&listen.id);
            self.client.push(&format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{what}/list_changed\",\"params\":{{{tag}}}}}"
            ));
            told = true;
        }
        told
    }
}

/// The metadata of a notification for a listen.
fn tag(id: &ClientId) -> String {
    let id = id.with_bytes(|id| String::from_utf8_lossy(id).into_owned());
    format!("\"_meta\":{{\"{SUBSCRIPTION}\":{id}}}")
}

fn excerpt(frame: &Frame<'_>) -> String {
    client::excerpt(frame.text.as_bytes())
}
