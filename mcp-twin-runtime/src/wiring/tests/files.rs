//! What stays of a file, and which files are refused.

use super::*;

#[test]
fn a_client_that_writes_meanwhile_loses_nothing() {
    let world = World::new();
    let file = world.file.clone();
    let mut times = 0;
    let hook = move |step| {
        if step == Step::Written && times < 3 {
            times += 1;
            let text = fs::read_to_string(&file).unwrap();
            fs::write(
                &file,
                text.replacen('{', "{\n  \"more\": 1,", 1).replacen("\"more\": 1", &format!("\"more{times}\": 1"), 1),
            )
            .unwrap();
        }
    };
    let applied = with_hook(hook, || world.wire("a")).unwrap();
    for times in 1..=3 {
        assert!(world.text().contains(&format!("\"more{times}\": 1")), "{}", world.text());
    }
    assert_eq!((list(&world.home).unwrap().len(), world.left()), (1, (vec!["mcp.json".to_owned()], 1)));
    // The same on the way back, which then is to the text they wrote.
    let file = world.file.clone();
    let mut once = true;
    let hook = move |step| {
        if step == Step::Written && std::mem::take(&mut once) {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("hunter2", "hunter3")).unwrap();
        }
    };
    let undone = with_hook(hook, || undo(&world.home, &applied.id.unwrap())).unwrap();
    assert!(undone.changed && !undone.exact);
    assert!(world.text().contains("hunter3") && !world.text().contains("mcp-twin"), "{}", world.text());
    assert_eq!(world.left(), (vec!["mcp.json".to_owned()], 0));
}

#[test]
fn a_client_that_never_stops_writing_is_named() {
    let world = World::new();
    let file = world.file.clone();
    let (mut n, tries) = (0, std::rc::Rc::new(std::cell::Cell::new(0)));
    let count = tries.clone();
    let hook = move |step| {
        if step == Step::Written {
            n += 1;
            count.set(n);
            fs::write(&file, format!("{TEXT}{}", " ".repeat(n as usize))).unwrap();
        }
    };
    let error = with_hook(hook, || world.wire("a")).unwrap_err();
    assert_eq!((error.code(), tries.get()), ("wiring::busy", TRIES));
    assert!(error.to_string().contains("close its client"), "{error}");
    assert_eq!(world.text(), format!("{TEXT}     "));
    assert_eq!((list(&world.home).unwrap(), world.left()), (vec![], (vec!["mcp.json".to_owned()], 0)));
}

#[test]
fn text_that_cannot_be_edited_is_not_touched() {
    let world = World::new();
    for (text, code) in [
        ("{\"mcpServers\": {", "wire::invalid"),
        ("{\"mcpServers\": {\"a\": {}, \"a\": {}}}", "wire::duplicate_key"),
        ("{}", "wire::absent"),
    ] {
        fs::write(&world.file, text).unwrap();
        let error = world.wire("a").unwrap_err();
        assert_eq!((error.code(), world.text().as_str()), (code, text));
        assert!(error.to_string().contains("mcp.json: "), "{error}");
    }
    assert_eq!((list(&world.home).unwrap(), world.left()), (vec![], (vec!["mcp.json".to_owned()], 0)));
}

#[test]
fn files_that_are_none_or_too_large() {
    let world = World::new();
    let code = |file: &Path| {
        let error = apply(&world.home, file, "cursor", "a", &edit("a")).unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(code(&world.file.with_file_name("none.json")).0, "wiring::missing");
    assert_eq!(code(&world.file.join("below")).0, "wiring::missing");
    assert_eq!(code(world.file.parent().unwrap()).0, "wiring::not_a_file");
    let large = world.file.with_file_name("large.json");
    fs::File::create(&large).unwrap().set_len(wire::MOST as u64 + 1).unwrap();
    assert_eq!(code(&large).0, "wiring::too_large");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn links_stay_and_lead_to_the_new_text_with_the_mode_of_the_old() {
        let world = World::new();
        let real = world.file.with_file_name("real.json");
        fs::rename(&world.file, &real).unwrap();
        symlink("real.json", &world.file).unwrap();
        chmod(&real, 0o640);
        let owner = fs::metadata(&real).unwrap().uid();
        let id = world.wire("a").unwrap().id.unwrap();
        assert!(fs::symlink_metadata(&world.file).unwrap().is_symlink());
        let meta = fs::metadata(&real).unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (0o640, owner));
        assert!(fs::read_to_string(&real).unwrap().contains("/opt/mcp-twin"));
        // By its other name it is the same entry.
        let again = apply(&world.home, &real, "cursor", "a", &edit("a")).unwrap();
        assert_eq!((again.changed, again.id), (false, Some(id.clone())));
        undo(&world.home, &id).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), TEXT);
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_cannot_be_replaced_is_said() {
        let world = World::new();
        let refused = |code: &str, does: &str| {
            let error = world.wire("a").unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(does), "{error}");
            assert_eq!((list(&world.home).unwrap(), world.left().1), (vec![], 0));
        };
        chmod(&world.file, 0o444);
        refused("wiring::read_only", "chmod u+w");
        chmod(&world.file, 0o644);
        let folder = world.file.parent().unwrap();
        chmod(folder, 0o555);
        refused("wiring::folder_read_only", "allow writing there");
        chmod(folder, 0o755);
        fs::hard_link(&world.file, world.file.with_file_name("other.json")).unwrap();
        refused("wiring::hard_linked", "hard links");
        fs::remove_file(&world.file).unwrap();
        symlink("gone.json", &world.file).unwrap();
        refused("wiring::dangling", "gone.json");
    }

    #[test]
    fn the_state_is_private_and_a_damaged_journal_is_not_written_over() {
        let world = World::new();
        world.wire("a").unwrap();
        let record = &list(&world.home).unwrap()[0];
        for file in [world.home.wired(), backup_of(&world.home, record)] {
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{file:?}");
        }
        assert_eq!(fs::metadata(world.home.backups()).unwrap().mode() & 0o777, 0o700);
        fs::write(world.home.wired(), "{\"schema\": 1, \"wired\": [").unwrap();
        let error = world.wire("b").unwrap_err();
        assert_eq!(error.code(), "wiring::journal");
        assert!(error.to_string().contains("backups"), "{error}");
        fs::write(world.home.wired(), "{\"schema\": 2, \"wired\": 7}").unwrap();
        assert_eq!(world.wire("b").unwrap_err().code(), "wiring::newer");
        assert_eq!(world.left().1, 1, "the backup stays");
    }
}
