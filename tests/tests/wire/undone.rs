//! The way back.

use super::{Home, TWO, entry, words};
use mcp_twin_tests::tools;

#[test]
fn in_a_file_that_was_edited_since_only_the_entry_is_restored() {
    let home = Home::new();
    let file = home.write(".cursor/mcp.json", TWO);
    let _ = home.run(&["wire", "files", "--yes"]).with_status(0);
    let edit = |text: &str| text.replace("hunter2hunter2", "another");
    std::fs::write(&file, edit(&home.read(".cursor/mcp.json"))).unwrap();
    let document = home.document(&["unwire", "files", "--yes"], 0);
    assert_eq!(document["changes"][0]["exact"], false, "{document}");
    assert_eq!(home.read(".cursor/mcp.json"), edit(&home.filled(TWO)));
}

#[test]
fn two_at_once_and_one_of_them_back() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    let document = home.document(&["wire", "files", "mail", "--yes"], 0);
    assert_eq!(document["changes"].as_array().unwrap().len(), 2);
    let command = |server: &str| words(&entry(&home.read(".cursor/mcp.json"), &format!("/mcpServers/{server}")));
    home.serves(&command("files"));
    home.serves(&command("mail"));
    let _ = home.run(&["unwire", "files", "--yes"]).with_status(0);
    assert_eq!(command("files"), [home.filled("{SERVER}"), home.filled("{CODE}")]);
    home.serves(&command("mail"));
    let _ = home.run(&["unwire", "mail", "--yes"]).with_status(0);
    assert_eq!(home.everything(), before);
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    let home = Home::new();
    let real = home.write("dotfiles/cursor.json", TWO);
    std::fs::create_dir(home.path().join(".cursor")).unwrap();
    let link = home.path().join(".cursor/mcp.json");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let before = home.everything();
    let _ = home.run(&["wire", "files", "--yes"]).with_status(0);
    assert!(link.is_symlink() && home.read("dotfiles/cursor.json").contains("mcp-twin"));
    let _ = home.run(&["unwire", "--all", "--yes"]).with_status(0);
    assert!(link.is_symlink() && home.everything() == before);
}

#[test]
fn after_the_program_moved() {
    let mut home = Home::new();
    home.write(".cursor/mcp.json", TWO);
    let before = home.everything();
    let folder = home.state().with_file_name("bin");
    std::fs::create_dir(&folder).unwrap();
    home.program = folder.join("mcp-twin");
    std::fs::copy(tools::mcp_twin(), &home.program).unwrap();
    let _ = home.run(&["wire", "files", "--yes"]).with_status(0);
    assert_eq!(words(&entry(&home.read(".cursor/mcp.json"), "/mcpServers/files"))[0], home.program.to_str().unwrap());
    let moved = folder.join("mcp-twin-2");
    std::fs::rename(&home.program, &moved).unwrap();
    home.program = moved;
    let document = home.document(&["wire", "files", "--yes"], 1);
    assert_eq!(document["left"][0]["reason"], "moved", "{document}");
    let _ = home.run(&["unwire", "files", "--yes"]).with_status(0);
    assert_eq!(home.everything(), before);
}

#[test]
fn what_is_gone_is_said_and_can_be_forgotten() {
    let home = Home::new();
    let file = home.write(".cursor/mcp.json", TWO);
    let _ = home.run(&["wire", "files", "--yes"]).with_status(0);
    // Somebody took mcp-twin out by hand, and changed the rest too.
    std::fs::write(&file, home.filled(TWO).replace("hunter2hunter2", "another")).unwrap();
    let before = home.everything();
    let report = home.run(&["unwire", "files", "--yes"]).with_status(3);
    assert!(report.stderr.contains("--force"), "{report:?}");
    let document = home.document(&["unwire", "files", "--yes", "--force"], 0);
    assert_eq!(document["changes"][0]["outcome"], "forgotten");
    let report = home.run(&["unwire", "files", "--yes"]).with_status(0);
    assert_eq!(report.stdout, "Nothing is wired.\n");
    assert_eq!(home.everything(), before);
}
