//! What the engine says to an operator, `docs/operations.md` explains, word for word.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Level and sentence.
type Line = (String, String);

#[test]
fn the_guide_explains_each_line_that_the_engine_logs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut logged = BTreeSet::new();
    read(&root.join("src"), &mut logged);
    assert!(!logged.is_empty());
    let guide = fs::read_to_string(root.join("../../docs/operations.md")).unwrap();
    let explained: BTreeSet<Line> = guide
        .lines()
        .filter_map(|row| {
            let (level, rest) = row.strip_prefix("| ")?.split_once(" | `")?;
            let known = ["ERROR", "WARN", "INFO"].contains(&level);
            known.then(|| (level.to_owned(), rest.split('`').next().unwrap().to_owned()))
        })
        .collect();
    let unexplained: Vec<_> = logged.difference(&explained).collect();
    let unsaid: Vec<_> = explained.difference(&logged).collect();
    assert!(
        unexplained.is_empty() && unsaid.is_empty(),
        "not in docs/operations.md: {unexplained:#?}\nno longer logged: {unsaid:#?}"
    );
}

fn read(folder: &Path, logged: &mut BTreeSet<Line>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            read(&path, logged);
        } else if !name.starts_with("test") {
            let source = fs::read_to_string(&path).unwrap();
            for level in ["error", "warn", "info"] {
                let call = format!("tracing::{level}!(");
                let lines = source.split(&call).skip(1);
                logged.extend(lines.map(|call| (level.to_uppercase(), sentence(call))));
            }
        }
    }
}

/// The sentence of a call: the last text before the call's end.
fn sentence(call: &str) -> String {
    let (mut depth, mut last) = (0, None);
    let mut parts = call.split('"');
    while let Some(code) = parts.next() {
        for sign in code.chars() {
            match sign {
                '(' => depth += 1,
                ')' if depth == 0 => return last.expect("a sentence"),
                ')' => depth -= 1,
                _ => {}
            }
        }
        last = parts.next().map(str::to_owned);
    }
    panic!("a call without an end: {call}")
}
