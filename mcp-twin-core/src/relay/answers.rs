//! What a twin sends that may go on to the client: answers, notifications, requests.

use super::calls::{Ask, Method, progress_token};
use super::client::excerpt;
use super::era::{self, Era};
use super::frame::{self, Frame, Kind};
use super::ids::{self, Token};
use super::lists::notice_of;
use super::outbox::Digits;
use super::owners::{LINK, TASK, named};
use super::{Relay, diff::ListKind};
use crate::error::{Code, Fault};
use crate::ids::TwinId;
use crate::time::Moment;
use std::ops::Range;

/// A twin may have so many requests open at the client.
const ASKS: usize = 1024;

impl Relay {
    pub(super) fn twin_answer(&mut self, twin: TwinId, frame: &Frame<'_>, raw_id: &str, now: Moment) {
        let number = ids::number(raw_id);
        let Some(number) =
            number.filter(|number| self.calls.get(number).is_some_and(|call| call.owner() == Some(twin)))
        else {
            let errand = number.filter(|number| self.errands.get(number).is_some_and(|errand| errand.twin == twin));
            match errand {
                Some(number) => self.errand_answered(number, frame.result.ok_or(frame.error.unwrap_or("null")), now),
                None => match number.filter(|number| self.streams.get(number).is_some_and(|(_, at)| *at == twin)) {
                    Some(number) => self.stream_answered(number, twin, frame, raw_id, now),
                    None => self.stray_answer(twin, frame, raw_id),
                },
            }
            return;
        };
        if self.is_opening(number) {
            match frame.result {
                Some(result) => self.opening_answered(number, twin, frame, raw_id, result, now),
                None => self.opening_refused(number, twin, frame.error.unwrap_or("null"), Some((frame, raw_id)), now),
            }
            return;
        }
        let Some(mut call) = self.close(number) else { return };
        let refused = frame.result.is_none();
        self.measure(&call, frame.result, now);
        let told = match call.method {
            Method::ToolCall => self.told_in(frame),
            Method::List(ListKind::Tools) => self.menu_in(twin, &call, frame),
            Method::Discover => self.announced_in(frame),
            _ => None,
        };
        let start = self.client.end();
        let unlisted = frame.error.is_some_and(|error| frame::member(error, "code") == Some("-32601"))
            && self.list_in_place(&call, false);
        call.id.with_bytes(|id| {
            let id = (frame.span(raw_id), id);
            match &told {
                _ if unlisted => {}
                None => self.reply(&call.id, frame.text, &mut [id]),
                Some((at, text)) => self.reply(&call.id, frame.text, &mut [id, (at.clone(), text.as_bytes())]),
            }
        });
        if call.id.batch.is_none() {
            self.client.mark(start, number);
        }
        if call.method.counts() {
            self.count(twin, refused);
        }
        match (frame.result, frame.error) {
            (Some(result), _) => self.learn(twin, &call, result, now),
            (None, Some(error)) => self.learn_refusal(twin, &call, error, now),
            (None, None) => {}
        }
        if call.method.is_ledger() && !refused {
            self.ledger_changed(twin, &call, now);
        }
        if let Some(envelope) = call.settles.take().filter(|_| !refused) {
            self.settle_by(*envelope, twin, now);
        }
        self.after_close(call.method, Some(twin), now);
    }

    /// Where the failure that the client was not told of goes in this answer: behind the last item of `result.content`.
    fn told_in(&mut self, frame: &Frame<'_>) -> Option<(Range<usize>, String)> {
        self.untold.as_ref()?;
        let content = frame::member(frame.result?, "content")?;
        let inner = content.strip_prefix('[')?.strip_suffix(']')?;
        let text = serde_json::Value::from(self.untold.take()?);
        let comma = if inner.trim_ascii().is_empty() { "" } else { "," };
        let end = frame.span(content).end - 1;
        Some((end..end, format!("{comma}{{\"type\":\"text\",\"text\":{text}}}")))
    }

    fn stray_answer(&mut self, twin: TwinId, frame: &Frame<'_>, raw_id: &str) {
        #[cfg(test)]
        if self.mutate_stray(frame, raw_id) {
            return;
        }
        let what = excerpt(frame.text.as_bytes());
        self.log(twin, format!("answered {}, which is not open (any more): {what}", excerpt(raw_id.as_bytes())));
        self.count_stray(twin, frame, raw_id);
    }

    pub(super) fn twin_notification(&mut self, twin: TwinId, frame: &Frame<'_>, name: &str, now: Moment) {
        match name {
            "notifications/cancelled" => return self.twin_cancels(twin, frame, now),
            "notifications/progress" => {
                let token = frame.params.and_then(|params| frame::member(params, "progressToken"));
                let number = token.and_then(|token| self.tokens.get(&Token::read(token)).copied());
                let open =
                    number.filter(|number| self.calls.get(number).is_some_and(|call| call.owner() == Some(twin)));
                match open {
                    Some(number) => {
                        self.client.push(frame.text);
                        if let Some(timeout) = self.limits.call_timeout
                            && self.calls.get(&number).is_some_and(|call| call.method == Method::ToolCall)
                        {
                            self.set_deadline(number, Some(now + timeout));
                        }
                    }
                    // The token of a request that became a task stays valid as long as the task runs.
                    None if token.is_some_and(|token| self.owners.has_progress(twin, &Token::read(token))) => {
                        self.client.push(frame.text);
                    }
                    None => self.log(twin, "reported progress of a request that is not open (any more)"),
                }
                return;
            }
            _ => {}
        }
        let changed = match name {
            "notifications/tools/list_changed" => &[ListKind::Tools][..],
            "notifications/prompts/list_changed" => &[ListKind::Prompts],
            "notifications/resources/list_changed" => &[ListKind::Resources, ListKind::Templates],
            _ => &[],
        };
        if let Some(task) = frame.params.filter(|_| name.starts_with("notifications/tasks")) {
            self.task_reported(twin, task, now);
        }
        let owed = self.is_owed(twin, frame, name);
        // The twin that has, or had, the client's own opening in hand.
        let opener = self.session.opener == Some(twin) || self.has_opening(twin);
        let active = self.active() == Some(twin);
        let Some(state) = self.twins.get_mut(&twin) else { return };
        for kind in changed {
            state.touch(*kind);
        }
        if (self.session.era == Era::Modern || !self.streams.is_empty())
            && let Some(raw) = era::subscription(frame.params)
        {
            return self.twin_publishes(twin, frame, name, raw, changed, now);
        }
        let updates = !changed.is_empty() || name == "notifications/resources/updated";
        let passes = if active || (opener && !state.served) {
            // What the client was told came from the opener itself: it is passed on as it is.
            opener || self.session.told_of(name)
        } else {
            state.served && (state.calls > 0 || owed) && !updates
        };
        if passes {
            self.client.push(frame.text);
            for kind in changed {
                self.stale[notice_of(*kind)] = true;
            }
        } else {
            self.log(twin, format!("not passed on: {}", excerpt(frame.text.as_bytes())));
        }
    }

    /// Whether a notification is about something that the twin began while it served: a task, an elicitation by URL.
    fn is_owed(&mut self, twin: TwinId, frame: &Frame<'_>, name: &str) -> bool {
        match name {
            "notifications/tasks/status" => {
                named(frame.params, &TASK).is_some_and(|id| self.owners.has_task(twin, &id))
            }
            "notifications/elicitation/complete" => {
                let Some(id) = named(frame.params, &LINK) else { return false };
                let open = self.owners.has_link(twin, &id);
                self.link_closed(&id);
                open
            }
            _ => false,
        }
    }

    /// Passes a twin's request to the client under a number of ours.
    pub(super) fn ask_client(&mut self, twin: TwinId, frame: &Frame<'_>, raw_id: &str, now: Moment) {
        if self.eof {
            let fault = Fault::new(Code::Down, "the client has ended its input and can answer no more requests");
            return self.refuse_ask(twin, raw_id, &fault);
        }
        let number = self.number();
        let Some(state) = self.twins.get_mut(&twin) else { return };
        if state.asks >= ASKS {
            let fault = Fault::new(Code::Busy, "too many requests of this server are open at the client");
            return self.refuse_ask(twin, raw_id, &fault);
        }
        state.asks += 1;
        let digits = Digits::new(number);
        let id = (frame.span(raw_id), digits.bytes());
        let token = progress_token(frame.params);
        match token {
            // The number is unique among all twins' requests, so it serves as the token too.
            Some(token) => self.client.splice(frame.text, &mut [id, (frame.span(token), digits.bytes())]),
            None => self.client.splice(frame.text, &mut [id]),
        }
        let name = if let Kind::Request { method, .. } = &frame.kind { method.as_ref() } else { "" };
        let link = if name == "elicitation/create" { named(frame.params, &LINK) } else { None };
        if let Some(link) = link {
            self.link_opened(twin, link, now);
        }
        let task = if name.starts_with("tasks/") { named(frame.params, &TASK) } else { None };
        let ends_task = name == "tasks/result";
        let ask = Ask { twin, id: raw_id.into(), token: token.map(Into::into), link, task, ends_task };
        self.asks.insert(number, ask);
    }

    fn twin_cancels(&mut self, twin: TwinId, frame: &Frame<'_>, now: Moment) {
        let Some(raw) = frame.params.and_then(|params| frame::member(params, "requestId")) else { return };
        let stream = ids::number(raw).filter(|number| self.streams.get(number).is_some_and(|(_, at)| *at == twin));
        if let Some(number) = stream {
            return self.stream_cancelled(number, twin, frame, raw, now);
        }
        let token = Token::read(raw);
        let open = self.asks.iter().find(|(_, ask)| ask.twin == twin && Token::read(&ask.id) == token);
        if let Some(number) = open.map(|(number, _)| *number) {
            self.client.splice(frame.text, &mut [(frame.span(raw), Digits::new(number).bytes())]);
            self.asks.remove(&number);
            if let Some(state) = self.twins.get_mut(&twin) {
                state.asks = state.asks.saturating_sub(1);
            }
            self.check_drained(twin);
        } else if let Some(state) = self.twins.get_mut(&twin) {
            // One that still waits for the commit was never seen by the client.
            state.parked.retain(|line| match Frame::read(line).map(|frame| frame.kind) {
                Ok(frame::Kind::Request { id, .. }) => Token::read(id) != token,
                _ => true,
            });
        }
    }

    /// Tells the client that nobody waits for its answers to a twin any more; late ones are dropped.
    pub(super) fn cancel_asks(&mut self, twin: TwinId, reason: &str) {
        let open: Vec<u64> = self.asks.iter().filter(|(_, ask)| ask.twin == twin).map(|(number, _)| *number).collect();
        let reason = serde_json::Value::from(reason);
        for number in open {
            self.asks.remove(&number);
            self.client.push(&format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\"reason\":{reason}}}}}"
            ));
        }
        if let Some(state) = self.twins.get_mut(&twin) {
            state.asks = 0;
        }
    }
}
