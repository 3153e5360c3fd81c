//! What no parser further on would refuse: deep nesting, NUL and lone surrogates inside values that are kept raw.

use std::fmt;

/// How deeply arrays and objects may nest.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why the text is refused, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Violation {
    pub(crate) offense: Offense,
    pub(crate) offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Offense {
    TooDeep,
    Nul,
    LoneSurrogate,
}

impl fmt::Display for Offense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(
                formatter,
                "nested more than {MAX_DEPTH} levels deep: flatten the value"
            ),
            Self::Nul => formatter.write_str("a string holds the NUL character (\\u0000): remove it"),
            Self::LoneSurrogate => formatter.write_str(
                "a string holds half of a surrogate pair (\\ud800 to \\udfff): complete or remove it",
            ),
        }
    }
}

/// Looks over JSON text before it is parsed. The text need not be valid JSON: what this does not understand it
/// leaves to the parser.
pub(crate) fn check(json: &[u8]) -> Result<(), Violation> {
    if is_plainly_harmless(json) {
        Ok(())
    } else {
        scan(json)
    }
}

/// True when there are too few brackets to nest deeply and no `\u` at all: nearly every activity. Written so that the
/// compiler makes vector code of it.
fn is_plainly_harmless(json: &[u8]) -> bool {
    const CHUNK: usize = 128; // below 256, so that a byte can count its openers
    let (mut openers, mut escapes, mut last) = (0, false, 0);
    for chunk in json.chunks(CHUNK) {
        // '[' | 0x20 is '{'.
        let opening: u8 = chunk.iter().map(|&byte| u8::from(byte | 0x20 == b'{')).sum();
        openers += usize::from(opening);
        let pairs = chunk.iter().zip(&chunk[1..]);
        let escaped = pairs.fold(0, |found, (&first, &second)| {
            found | u8::from(first == b'\\') & u8::from(second == b'u')
        });
        escapes |= escaped != 0 || (last == b'\\' && chunk[0] == b'u');
        last = chunk[chunk.len() - 1];
    }
    openers <= MAX_DEPTH && !escapes
}

fn scan(json: &[u8]) -> Result<(), Violation> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Violation {
                        offense: Offense::TooDeep,
                        offset: at,
                    });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = scan_string(json, at + 1)?,
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Scans from the first byte of a string to its closing quote (or the end), and returns where that is.
fn scan_string(json: &[u8], start: usize) -> Result<usize, Violation> {
    let mut at = start;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => return Ok(at),
            b'\\' => match code_unit(json, at) {
                Some(0) => {
                    return Err(Violation {
                        offense: Offense::Nul,
                        offset: at,
                    });
                }
                Some(0xD800..=0xDBFF) if matches!(code_unit(json, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
                Some(0xD800..=0xDFFF) => {
                    return Err(Violation {
                        offense: Offense::LoneSurrogate,
                        offset: at,
                    });
                }
                Some(_) => at += 6,
                None => at += 2,
            },
            _ => at += 1,
        }
    }
    Ok(at)
}

/// The code unit of the escape at this place, `\u` and four hexadecimal digits, if there is one.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = json.get(at..at + 6)? else {
        return None;
    };
    digits.iter().try_fold(0, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(unit << 4 | value as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offense(json: &str) -> Option<Offense> {
        check(json.as_bytes()).err().map(|violation| violation.offense)
    }

    #[test]
    fn depth_is_bounded_at_128() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(offense(&nested(127)), None);
            assert_eq!(offense(&nested(128)), None);
            assert_eq!(offense(&nested(129)), Some(Offense::TooDeep));
            assert_eq!(offense(&nested(100_000)), Some(Offense::TooDeep));
        }
        assert_eq!(offense(&"[],".repeat(1000)), None, "wide is not deep");
        assert_eq!(
            offense(&format!("\"{}\"", "[".repeat(1000))),
            None,
            "brackets in a string are text"
        );
        assert_eq!(
            offense(&format!("\"\\\"{}\"", "[".repeat(1000))),
            None,
            "also after an escaped quote"
        );
    }

    #[test]
    fn nul_and_halves_of_pairs_are_found_wherever_they_stand() {
        for (json, expected) in [
            (r#""\u0000""#, Some(Offense::Nul)),
            (r#"{"\u0000":1}"#, Some(Offense::Nul)),
            (r#""\\u0000""#, None),
            (r#""\\\u0000""#, Some(Offense::Nul)),
            (r#""\u0001""#, None),
            (r#""\ud83d\ude00""#, None),
            (r#""\uD83D\uDE00""#, None),
            (r#""\ud83d""#, Some(Offense::LoneSurrogate)),
            (r#""\ude00""#, Some(Offense::LoneSurrogate)),
            (r#""\ud83d\ud83d\ude00""#, Some(Offense::LoneSurrogate)),
            (r#""\ud83d\\ude00""#, Some(Offense::LoneSurrogate)),
            (r#""\ud7ff\ue000""#, None),
            (r#""\ud83d"#, Some(Offense::LoneSurrogate)),
        ] {
            assert_eq!(offense(json), expected, "{json}");
        }
    }

    #[test]
    fn an_escape_across_two_chunks_is_seen() {
        for length in 100..300 {
            let json = format!("\"{}\\u0000\"", "x".repeat(length));
            assert_eq!(offense(&json), Some(Offense::Nul), "{length}");
        }
    }

    #[test]
    fn what_is_not_json_is_left_to_the_parser() {
        for json in [
            "",
            "\"",
            "\"\\",
            "\"\\u",
            "\"\\u00",
            "]]]]",
            "\"\\u00g0\"",
            "\\u0000",
        ] {
            assert_eq!(offense(json), None, "{json}");
        }
    }
}
