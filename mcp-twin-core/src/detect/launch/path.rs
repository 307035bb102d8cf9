//! Paths as text, of both families of systems: a Windows line is read on any system.

/// Whether a path is absolute on one of the systems.
pub(in crate::detect) fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || is_windows(path)
}

/// Whether a path begins with a drive or a server: `C:\x`, `C:/x`, `\\server\x`.
pub(in crate::detect) fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && is_separator(path, bytes[2]);
    drive || path.starts_with(r"\\")
}

/// `path` as seen from `base`, without `.` and `..`. `None` if it is relative and nobody knows to what.
pub(in crate::detect) fn resolve(base: Option<&str>, path: &str) -> Option<String> {
    match base {
        _ if is_absolute(path) => Some(tidy(path)),
        Some(base) => Some(join(base, path)),
        None => None,
    }
}

/// `path` below `base`, or `path` itself if it is absolute.
pub(in crate::detect) fn join(base: &str, path: &str) -> String {
    if is_absolute(path) {
        return tidy(path);
    }
    let separator = if is_windows(base) { '\\' } else { '/' };
    tidy(&format!("{}{separator}{path}", base.trim_end_matches(['/', '\\'])))
}

/// The folder that a path lies in; `None` for a root.
pub(in crate::detect) fn parent(path: &str) -> Option<&str> {
    let trimmed = path.trim_end_matches(|c| is_separator_char(path, c));
    let end = trimmed.rfind(|c| is_separator_char(path, c))?;
    let folder = &trimmed[..end];
    if folder.is_empty() {
        return (trimmed.len() > 1).then_some("/");
    }
    // `C:` alone would be the current folder of a drive.
    Some(if folder.ends_with(':') { &trimmed[..=end] } else { folder })
}

/// The folders from `path` up to its root, `path` itself first.
pub(in crate::detect) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path))
}

/// The last part.
pub(in crate::detect) fn file_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The last part without its extension.
pub(in crate::detect) fn stem(path: &str) -> &str {
    let name = file_name(path);
    match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}

/// The extension in lower case, or nothing.
pub(in crate::detect) fn extension(path: &str) -> String {
    let name = file_name(path);
    match name.rfind('.') {
        Some(dot) if dot > 0 => name[dot + 1..].to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Whether `path` is `folder` or lies below it.
pub(in crate::detect) fn is_within(path: &str, folder: &str) -> bool {
    ancestors(path).any(|above| above == folder)
}

/// The name of a command: without folders and without what Windows appends, in lower case.
pub(in crate::detect) fn command(word: &str) -> String {
    let name = file_name(word).to_ascii_lowercase();
    [".exe", ".cmd", ".bat", ".com", ".ps1"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .map_or_else(|| name.clone(), str::to_owned)
}

fn is_separator(path: &str, byte: u8) -> bool {
    is_separator_char(path, char::from(byte))
}

fn is_separator_char(path: &str, c: char) -> bool {
    // A backslash is an ordinary character in a Unix path.
    c == '/' || (c == '\\' && !path.starts_with('/'))
}

fn tidy(path: &str) -> String {
    let windows = is_windows(path);
    let separator = if windows { '\\' } else { '/' };
    let (root, rest) = if let Some(server) = path.strip_prefix(r"\\") {
        (r"\\".to_owned(), server)
    } else if windows {
        (format!("{}:\\", &path[..1]), &path[3..])
    } else {
        ("/".to_owned(), path)
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split(|c| c == '/' || (windows && c == '\\')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{root}{}", parts.join(&separator.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        assert_eq!(join("/p", "./a/../b c.py"), "/p/b c.py");
        assert_eq!(join("/p/", "../../../x"), "/x");
        assert_eq!(join(r"C:\Users\dana", "src/server.py"), r"C:\Users\dana\src\server.py");
        assert_eq!(join("/p", r"C:\x\y.py"), r"C:\x\y.py");
        assert_eq!(join(r"\\server\share", "x"), r"\\server\share\x");
        assert_eq!(resolve(None, "x.py"), None);
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent("/a"), Some("/"));
        assert_eq!(parent("/"), None);
        assert_eq!(parent(r"C:\a"), Some(r"C:\"));
        assert_eq!(parent(r"C:\"), None);
        assert_eq!(parent(r"/a\b/c"), Some(r"/a\b"));
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!((stem("/a/b.test.py"), stem("/a/.env"), stem(r"C:\x\y.js")), ("b.test", ".env", "y"));
        assert_eq!((extension("X.PY"), extension("x"), extension(".env")), ("py".into(), "".into(), "".into()));
        assert_eq!(command(r"C:\Program Files\nodejs\npx.CMD"), "npx");
        assert_eq!(command("/usr/bin/python3.12"), "python3.12");
        assert!(is_within("/a/b/c", "/a") && !is_within("/ab", "/a"));
    }
}
