//! The documents that each kind of target takes.

use super::event::Event;
use super::message::{Message, cut};
use super::target::Kind;
use serde_json::{Value, json};

/// The version of the generic document; fields are only ever added to one.
pub const SCHEMA: u32 = 1;

/// Slack's limits: of a header block, of the text of a section.
const SLACK_HEADER: usize = 150;
const SLACK_TEXT: usize = 3000;
/// Discord's limits: of a message, of an embed's title, description, field and footer. A description may have 4096, but an
/// embed 6000 all in all.
const DISCORD_CONTENT: usize = 2000;
const DISCORD_TITLE: usize = 256;
const DISCORD_DESCRIPTION: usize = 3500;
const DISCORD_FIELD: usize = 1024;
const DISCORD_FOOTER: usize = 800;
/// So long a sentence, the server's words and the advice are within a description, so that all three have room.
const DISCORD_PART: usize = 1100;

/// The document of a message for this kind of target.
#[must_use]
pub fn payload(kind: Kind, message: &Message) -> Value {
    match kind {
        Kind::Webhook | Kind::Desktop => generic(message),
        Kind::Slack => slack(message),
        Kind::Discord => discord(message),
    }
}

fn generic(message: &Message) -> Value {
    let mut document = json!({"schema": SCHEMA});
    if let (Some(document), Ok(Value::Object(members))) = (document.as_object_mut(), serde_json::to_value(message)) {
        document.extend(members);
    }
    document
}

/// The form of <https://api.slack.com/messaging/webhooks>, with blocks.
fn slack(message: &Message) -> Value {
    // What is escaped grows up to five times; a text is cut before, so that no entity is cut in two.
    let section = |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": slack_text(&message.title(), SLACK_HEADER), "emoji": false}}),
        section(slack_text(&message.sentence(), SLACK_TEXT)),
    ];
    if let Some(reason) = message.reason.as_ref().filter(|reason| !reason.stderr.is_empty()) {
        blocks.push(section(format!("```{}```", slack_text(&fenced(&reason.stderr), SLACK_TEXT - 6))));
    }
    let changes = changes(message);
    if !changes.is_empty() {
        blocks.push(section(slack_text(&changes, SLACK_TEXT)));
    }
    if let Some(help) = message.reason.as_ref().and_then(|reason| reason.help.as_ref()) {
        blocks.push(section(slack_text(help, SLACK_TEXT)));
    }
    let context = slack_text(&footer(message), SLACK_TEXT);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
    let text = slack_text(&format!("{}: {}", message.title(), message.sentence()), SLACK_TEXT);
    json!({"text": text, "blocks": blocks})
}

/// The form of <https://discord.com/developers/docs/resources/webhook#execute-webhook>, with one embed, and nobody is pinged.
fn discord(message: &Message) -> Value {
    let mut description = cut(&marked(&message.sentence()), DISCORD_PART);
    if let Some(reason) = &message.reason {
        if !reason.stderr.is_empty() {
            description += &format!("\n```\n{}\n```", cut(&fenced(&reason.stderr), DISCORD_PART));
        }
        if let Some(help) = &reason.help {
            description += &format!("\n{}", cut(&marked(help), DISCORD_PART));
        }
    }
    let field = |name: &str, value: &str, inline: bool| json!({"name": name, "value": cut(value, DISCORD_FIELD), "inline": inline});
    let mut fields = Vec::new();
    if let Some(generation) = message.generation {
        fields.push(field("Generation", &generation.to_string(), true));
    }
    if let Some(reason) = &message.reason {
        fields.push(field("Reason", &format!("`{}`", reason.code), true));
    }
    let changes = changes(message);
    if !changes.is_empty() {
        fields.push(field("Changes", &marked(&changes), false));
    }
    json!({
        "content": cut(&marked(&format!("{}: {}", message.title(), message.text)), DISCORD_CONTENT),
        "embeds": [{
            "title": cut(&marked(&message.title()), DISCORD_TITLE),
            "description": cut(&description, DISCORD_DESCRIPTION),
            "color": colour(message.event),
            "fields": fields,
            "footer": {"text": cut(&footer(message), DISCORD_FOOTER)},
            "timestamp": message.time,
        }],
        "allowed_mentions": {"parse": []},
    })
}

/// What a swap changed, or would break.
fn changes(message: &Message) -> String {
    let breaking = message.breaking.iter().map(|text| format!("breaking: {text}"));
    let told = Some(message.changes.clone()).filter(|text| !text.is_empty());
    told.into_iter().chain(breaking).collect::<Vec<_>>().join("\n")
}

fn footer(message: &Message) -> String {
    format!("{} · {} · {}", message.event.word(), message.place(), message.time)
}

/// Escaped as Slack wants it, and not longer than that when it is.
fn slack_text(text: &str, most: usize) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let whole = escaped(text);
    if whole.encode_utf16().count() <= most {
        return whole;
    }
    let mut room = most.saturating_sub(1);
    let mut text_in = String::new();
    for c in text.chars() {
        let piece = escaped(c.encode_utf8(&mut [0; 4]));
        let Some(left) = room.checked_sub(piece.encode_utf16().count()) else { break };
        room = left;
        text_in += &piece;
    }
    text_in + "…"
}

/// What stands between fences must not end them.
fn fenced(text: &str) -> String {
    text.replace('`', "'")
}

/// Escaped as Discord's Markdown wants it. What stands in backticks stays code, if they come in pairs.
fn marked(text: &str) -> String {
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut code = false;
    let mut marked = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        let tick = c == '`';
        code ^= tick && paired;
        let special = matches!(c, '\\' | '*' | '_' | '~' | '|' | '>' | '<' | '[' | ']' | '#');
        if special && !code || tick && !paired {
            marked.push('\\');
        }
        marked.push(c);
    }
    marked
}

fn colour(event: Event) -> u32 {
    match event {
        Event::Failed | Event::Crashed | Event::Down => 0x00cc_3333,
        Event::RolledBack | Event::Waiting => 0x00d9_9a00,
        Event::Swapped => 0x002e_a043,
        Event::Test => 0x0058_65f2,
    }
}
