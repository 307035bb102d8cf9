//! The client's own opening, its answer, and what a later twin is sent of it.

use super::shape::{Shape, layout};
use super::{Checked, config, json, one, same};
use crate::relay::tests::rig::{A, B, Rig};
use proptest::collection::vec;
use proptest::prelude::*;

/// What an opening with this line becomes at the first twin: its number there.
fn opened(rig: &mut Rig, line: &Shape, holes: &[&str]) -> Checked<String> {
    rig.relay.attach(A);
    rig.relay.probe(A, false, rig.now);
    rig.client_raw(&line.fill(holes));
    let sent = one(rig.twin_reads_raw(A))?;
    // The id alone may differ: the other holes are as the client filled them.
    let numbered = |digits: &str| {
        let mut holes = holes.to_vec();
        holes[0] = digits;
        line.fill(&holes)
    };
    let number = rig.relay.last.to_string();
    same(&sent, &numbered(&number)).map(|()| number)
}

proptest! {
    #![proptest_config(config(300))]

    /// `initialize` and its answer pass as they are; the replay differs in its id and in the version that was agreed on.
    #[test]
    fn an_initialize_is_replayed_with_another_version_at_most(
        layout in layout(), of_server in layout(), id in json::id(), other in any::<bool>(),
    ) {
        let mut rig = Rig::new();
        let params = layout.params(vec![
            ("protocolVersion", Shape::hole(1)),
            ("capabilities", Shape::text(r#"{"roots": {}, "x\ud800":1e400}"#)),
            ("clientInfo", Shape::text(r#"{"name":"\ud800"}"#)),
        ]);
        let method = ("method", Shape::text("\"initialize\""));
        let line = layout.message(vec![("id", Shape::hole(0)), method, ("params", params.clone())]);
        let asked = r#""2025\u002d11-25""#;
        let number = opened(&mut rig, &line, &[&id, asked])?;
        let version = if other { "\"2025-06-18\"" } else { "\"2025-11-25\"" };
        let result = of_server.params(vec![
            ("protocolVersion", Shape::text(version)),
            ("capabilities", Shape::text(r#"{ "experimental":{"\ud800":1e400} }"#)),
        ]);
        let answer = of_server.message(vec![("id", Shape::hole(0)), ("result", result)]);
        rig.twin_raw(A, &answer.fill(&[&number]));
        same(&one(rig.client_reads_raw())?, &answer.fill(&[&id]))?;
        rig.relay.handover(A, rig.now).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let initialized = of_server.message(vec![("method", Shape::text("\"notifications/initialized\""))]).fill(&[]);
        rig.client_raw(&initialized);
        same(&one(rig.twin_reads_raw(A))?, &initialized)?;
        rig.relay.attach(B);
        rig.relay.probe(B, false, rig.now);
        let replay = one(rig.twin_reads_raw(B))?;
        let agreed = if other { version } else { asked };
        let params = params.fill(&["", agreed]);
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"initialize","params":{params}}}"#, rig.relay.last);
        same(&replay, &wanted)?;
    }

    /// `server/discover` too; a later twin is asked with every member of the client's metadata that is not about its one
    /// request.
    #[test]
    fn a_discovery_is_asked_again_with_the_clients_own_metadata(
        layout in layout(), of_server in layout(), id in json::id(), token in json::id(), more in vec(json::value(), 3),
    ) {
        let mut rig = Rig::new();
        let own: Vec<String> = [
            r#""io.modelcontextprotocol\/protocolVersion": "2026-07-28""#.to_owned(),
            format!(r#""io.modelcontextprotocol/clientCapabilities":{}"#, more[0]),
            format!(r#""\ud800":{}"#, more[1]),
            format!(r#""x/\u0079":{}"#, more[2]),
        ]
        .to_vec();
        let meta = format!(r#"{{ {},"progressToken":{token} , {} }}"#, own[..2].join(" ,"), own[2..].join(","));
        let params = layout.params(vec![("_meta", Shape::text(meta))]);
        let method = ("method", Shape::text("\"server/discover\""));
        let line = layout.message(vec![("id", Shape::hole(0)), method, ("params", params)]);
        let number = opened(&mut rig, &line, &[&id])?;
        let result = of_server.params(vec![("supportedVersions", Shape::text(r#"["2026-07-28"]"#))]);
        let answer = of_server.message(vec![("id", Shape::hole(0)), ("result", result)]);
        rig.twin_raw(A, &answer.fill(&[&number]));
        same(&one(rig.client_reads_raw())?, &answer.fill(&[&id]))?;
        rig.relay.handover(A, rig.now).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        rig.relay.attach(B);
        rig.relay.probe(B, false, rig.now);
        let again = one(rig.twin_reads_raw(B))?;
        // The white space between the members is ours.
        let meta = own.join(",").replacen(": ", ":", 1);
        let number = rig.relay.last;
        let wanted =
            format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"server/discover","params":{{"_meta":{{{meta}}}}}}}"#);
        same(&again, &wanted)?;
    }
}
