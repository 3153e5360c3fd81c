//! The Authorization header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::MAX_TOKEN_BYTES;
use super::refusal::RefusalReason;

const SCHEME: &str = "Bearer";

/// The token of a request's one Authorization header (protocol, 3.1: exactly two parts, the scheme case-sensitive).
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, RefusalReason> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(RefusalReason::MissingHeader)?;
    if values.next().is_some() {
        return Err(RefusalReason::SeveralHeaders);
    }
    // Before anything is read of it.
    if value.len() > SCHEME.len() + 1 + MAX_TOKEN_BYTES {
        return Err(RefusalReason::TokenTooLong);
    }
    let text = value.to_str().map_err(|_| RefusalReason::MalformedHeader)?;
    if text.trim().is_empty() {
        return Err(RefusalReason::MissingHeader);
    }
    let mut parts = text.split(' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(""), _) | (Some(_), _, Some(_)) | (_, None, _) => Err(RefusalReason::MalformedHeader),
        (Some(SCHEME), Some(token), None) => Ok(token),
        _ => Err(RefusalReason::WrongScheme),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Result<String, RefusalReason> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn exactly_two_parts_and_the_scheme_as_it_is_written() {
        assert_eq!(read("Bearer a.b.c").as_deref(), Ok("a.b.c"));
        for (value, reason) in [
            ("", RefusalReason::MissingHeader),
            ("  \t", RefusalReason::MissingHeader),
            ("Bearer", RefusalReason::MalformedHeader),
            ("Bearer ", RefusalReason::MalformedHeader),
            ("Bearer  a.b.c", RefusalReason::MalformedHeader),
            ("Bearer a.b.c ", RefusalReason::MalformedHeader),
            ("Bearer a.b.c d.e.f", RefusalReason::MalformedHeader),
            ("a.b.c", RefusalReason::MalformedHeader),
            ("Bearer\ta.b.c", RefusalReason::MalformedHeader),
            (" a.b.c", RefusalReason::WrongScheme),
            ("bearer a.b.c", RefusalReason::WrongScheme),
            ("BEARER a.b.c", RefusalReason::WrongScheme),
            ("Basic dXNlcjpwdw==", RefusalReason::WrongScheme),
        ] {
            assert_eq!(read(value), Err(reason), "{value:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), Err(RefusalReason::MissingHeader));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        assert_eq!(bearer(&headers), Err(RefusalReason::SeveralHeaders));
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_bytes(b"Bearer \xff").expect("a header"),
        );
        assert_eq!(bearer(&headers), Err(RefusalReason::MalformedHeader));
    }

    #[test]
    fn a_token_has_a_limited_length() {
        for (length, is_read) in [
            (MAX_TOKEN_BYTES - 1, true),
            (MAX_TOKEN_BYTES, true),
            (MAX_TOKEN_BYTES + 1, false),
            (1 << 20, false),
        ] {
            let value = format!("Bearer {}", "a".repeat(length));
            match read(&value) {
                Ok(token) => assert!(is_read && token.len() == length),
                Err(reason) => assert!(!is_read && reason == RefusalReason::TokenTooLong),
            }
        }
    }
}
