//! The key in a request: `Authorization: Bearer tid_...`, or `X-Api-Key: tid_...`.

use http::{HeaderMap, HeaderName, header};

use crate::keys::token::Token;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The longest value of either header. A key has 81 characters.
const MAX_HEADER_BYTES: usize = 256;

/// Why a request has no key that could be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// Neither header is there.
    Missing,
    /// More than one.
    Several,
    /// Longer than any key.
    TooLong,
    /// `Authorization` with another scheme.
    Scheme,
    /// Not `tid_<id>_<secret>`.
    Shape,
}

/// The one key that the headers hold.
pub(crate) fn read(headers: &HeaderMap) -> Result<Token<'_>, NoKey> {
    let mut values = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(|value| (true, value))
        .chain(headers.get_all(X_API_KEY).iter().map(|value| (false, value)));
    let (bearer, value) = values.next().ok_or(NoKey::Missing)?;
    if values.next().is_some() {
        return Err(NoKey::Several);
    }
    if value.len() > MAX_HEADER_BYTES {
        return Err(NoKey::TooLong);
    }
    let text = value.to_str().map_err(|_| NoKey::Shape)?;
    let text = if bearer {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NoKey::Scheme);
        }
        rest
    } else {
        text
    };
    Token::read(text.trim_matches(' ')).ok_or(NoKey::Shape)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key() -> String {
        format!("tid_{}_{}", "0a".repeat(6), "1f".repeat(32))
    }

    fn read_of(headers: &[(&'static str, &str)]) -> Result<String, NoKey> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        read(&map).map(|token| token.id.to_owned())
    }

    #[test]
    fn both_headers_carry_a_key() {
        let id = Ok("0a".repeat(6));
        assert_eq!(read_of(&[("x-api-key", &key())]), id);
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
            assert_eq!(
                read_of(&[("authorization", &format!("{scheme} {}", key()))]),
                id,
                "{scheme}"
            );
        }
    }

    #[test]
    fn nothing_else_does() {
        let bearer = format!("Bearer {}", key());
        assert_eq!(read_of(&[]), Err(NoKey::Missing));
        for two in [
            [("authorization", bearer.as_str()), ("authorization", &bearer)],
            [("authorization", &bearer), ("x-api-key", &key())],
            [("x-api-key", &key()), ("x-api-key", &key())],
            [("authorization", ""), ("x-api-key", &key())],
        ] {
            assert_eq!(read_of(&two), Err(NoKey::Several));
        }
        for scheme in ["Basic dXNlcjpwYXNz", &key(), "", "BearerX y"] {
            assert_eq!(
                read_of(&[("authorization", scheme)]),
                Err(NoKey::Scheme),
                "{scheme}"
            );
        }
        for shape in [
            "Bearer",
            "Bearer ",
            "Bearer tid_1_2",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "Bearer ключ",
        ] {
            assert_eq!(read_of(&[("authorization", shape)]), Err(NoKey::Shape), "{shape}");
        }
        assert_eq!(read_of(&[("x-api-key", &bearer)]), Err(NoKey::Shape));
    }

    #[test]
    fn a_value_is_bounded() {
        for (length, expected) in [
            (255, NoKey::Shape),
            (256, NoKey::Shape),
            (257, NoKey::TooLong),
            (60_000, NoKey::TooLong),
        ] {
            assert_eq!(
                read_of(&[("x-api-key", &"a".repeat(length))]),
                Err(expected),
                "{length}"
            );
        }
    }
}
