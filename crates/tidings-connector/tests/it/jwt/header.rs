//! The Authorization header, and how long a token may be.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tidings_connector::jwt::{MAX_TOKEN_BYTES, RefusalReason as Reason};

use super::{Door, TEAMS};

fn headers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"))])
}

#[tokio::test]
async fn there_is_one_header_with_a_scheme_and_a_token() {
    let door = Door::new().await;
    let token = door.channel().mint();
    for (value, reason) in [
        (String::new(), Reason::MissingHeader),
        ("   ".to_owned(), Reason::MissingHeader),
        ("Basic dXNlcjpwdw==".to_owned(), Reason::WrongScheme),
        (format!("bearer {token}"), Reason::WrongScheme),
        (token.clone(), Reason::MalformedHeader),
        (format!("Bearer {token} {token}"), Reason::MalformedHeader),
        (format!("Bearer  {token}"), Reason::MalformedHeader),
        ("Bearer not.a.jwt".to_owned(), Reason::MalformedToken),
        ("Bearer garbage".to_owned(), Reason::MalformedToken),
        (format!("Bearer {token}.AAAA"), Reason::MalformedToken),
    ] {
        assert_eq!(
            door.verdict_on(&headers(&value), TEAMS).await.err(),
            Some(reason),
            "{value}"
        );
    }
    assert_eq!(
        door.verdict_on(&HeaderMap::new(), TEAMS).await.err(),
        Some(Reason::MissingHeader)
    );
    let mut two = headers(&format!("Bearer {token}"));
    assert!(door.verdict_on(&two, TEAMS).await.is_ok());
    two.append(AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
    assert_eq!(
        door.verdict_on(&two, TEAMS).await.err(),
        Some(Reason::SeveralHeaders)
    );
}

#[tokio::test]
async fn a_token_may_be_so_long_and_no_longer() {
    let door = Door::new().await;
    let padded = |padding: usize| door.channel().claim("padding", "x".repeat(padding)).mint();
    // Four characters stand for three bytes, so every length but one in four can be had.
    let of_length = |length: usize| {
        let mut padding = length / 2;
        loop {
            let token = padded(padding);
            if token.len() >= length {
                return (token.len() == length).then_some(token);
            }
            padding += ((length - token.len()) * 3 / 4).max(1);
        }
    };
    let at = of_length(MAX_TOKEN_BYTES).expect("a token of the greatest length");
    let below = of_length(MAX_TOKEN_BYTES - 1)
        .or_else(|| of_length(MAX_TOKEN_BYTES - 2))
        .expect("a token that is a little shorter");
    let above = of_length(MAX_TOKEN_BYTES + 1)
        .or_else(|| of_length(MAX_TOKEN_BYTES + 2))
        .expect("a token that is a little longer");
    for (token, reason) in [(below, None), (at, None), (above, Some(Reason::TokenTooLong))] {
        let verdict = door.verdict_on(&headers(&format!("Bearer {token}")), TEAMS).await;
        assert_eq!(verdict.err(), reason, "{}", token.len());
    }
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_not_read() {
    let door = Door::new().await;
    let token = door.channel().claim("padding", "x".repeat(750_000)).mint();
    assert!(token.len() > 1_000_000);
    let verdict = door.verdict_on(&headers(&format!("Bearer {token}")), TEAMS).await;
    assert_eq!(verdict.err(), Some(Reason::TokenTooLong));
    assert_eq!(door.idp.metadata_requests(), 0);
}
