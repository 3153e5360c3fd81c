//! One SQL text for both engines, as PostgreSQL wants it.

/// The text with `$1` for each parameter `?1`; what is quoted or a comment stays.
pub(super) fn translate(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'', '"', '-', '/']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.as_bytes() {
            [b'?', digit, ..] if digit.is_ascii_digit() => {
                out.push('$');
                rest = &from[1..];
                continue;
            }
            [quote @ (b'\'' | b'"'), ..] => 1 + end(&from[1..], char::from(*quote)),
            [b'-', b'-', ..] => end(from, '\n'),
            [b'/', b'*', ..] => from.find("*/").map_or(from.len(), |end| end + 2),
            _ => 1,
        };
        out.push_str(&from[..length]);
        rest = &from[length..];
    }
    out.push_str(rest);
    out
}

/// Where the first `mark` ends, or the text does. A doubled quote just begins the next quoted part.
fn end(text: &str, mark: char) -> usize {
    text.find(mark).map_or(text.len(), |at| at + 1)
}

/// True if the statement would begin or end a transaction, which is not an operation's business.
pub(super) fn controls_transaction(sql: &str) -> bool {
    const WORDS: [&str; 8] = [
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
    ];
    let sql = sql.trim_start();
    let word = sql
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .next()
        .unwrap_or(sql);
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_renamed_and_nothing_else() {
        for (sql, expected) in [
            ("", ""),
            ("SELECT 1", "SELECT 1"),
            (
                "SELECT ?1, ?2 FROM t WHERE a = ?10",
                "SELECT $1, $2 FROM t WHERE a = $10",
            ),
            ("SELECT '?1', ?1", "SELECT '?1', $1"),
            ("SELECT 'it''s ?1', ?1", "SELECT 'it''s ?1', $1"),
            ("SELECT \"?1\", ?1", "SELECT \"?1\", $1"),
            ("SELECT ?1 -- not ?2\n, ?3", "SELECT $1 -- not ?2\n, $3"),
            ("SELECT ?1 - ?2 / ?3", "SELECT $1 - $2 / $3"),
            ("SELECT /* '?1 */ ?1", "SELECT /* '?1 */ $1"),
            ("SELECT a ? 'b'", "SELECT a ? 'b'"),
            ("SELECT 'open ?1", "SELECT 'open ?1"),
            ("SELECT 'né' || ?1", "SELECT 'né' || $1"),
            ("SELECT ?", "SELECT ?"),
        ] {
            assert_eq!(translate(sql), expected, "{sql}");
        }
    }

    #[test]
    fn transaction_control_is_recognised_by_its_first_word() {
        for sql in [
            "COMMIT",
            " rollback",
            "\nSavepoint a",
            "begin;",
            "END",
            "RELEASE a",
        ] {
            assert!(controls_transaction(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "INSERT INTO begin VALUES (1)",
            "",
            "ENDING",
            "UPDATE t SET a = 'COMMIT'",
        ] {
            assert!(!controls_transaction(sql), "{sql}");
        }
    }
}
