//! A signed token, taken apart and not yet believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::refusal::RefusalReason;

/// A JWT (RFC 7519) in the compact form of RFC 7515, signed with RS256. Nothing in it is proven.
pub(super) struct Token<'a> {
    pub(super) kid: Option<String>,
    pub(super) claims: Claims,
    /// What is signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood: we understand none (RFC 7515, 4.1.11).
    crit: Option<IgnoredAny>,
}

/// The claims that mean something here. Both issuers write each of them as one string; a list is refused.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) aud: Option<String>,
    /// Seconds since 1970, perhaps with a fraction.
    pub(super) exp: Option<f64>,
    pub(super) nbf: Option<f64>,
    pub(super) appid: Option<String>,
    pub(super) azp: Option<String>,
    pub(super) ver: Option<String>,
    pub(super) tid: Option<String>,
    pub(super) idtyp: Option<String>,
    pub(super) serviceurl: Option<String>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, RefusalReason> {
        let (message, signature) = text.rsplit_once('.').ok_or(RefusalReason::MalformedToken)?;
        let (header, claims) = message.split_once('.').ok_or(RefusalReason::MalformedToken)?;
        let Header { alg, kid, crit } = json(header)?;
        if alg != "RS256" {
            return Err(RefusalReason::UnsupportedAlgorithm);
        }
        if crit.is_some() {
            return Err(RefusalReason::MalformedToken);
        }
        Ok(Self {
            kid,
            // A further dot is no character of base64url, so there are three parts or this fails.
            claims: json(claims)?,
            message: message.as_bytes(),
            signature: bytes(signature)?,
        })
    }
}

/// Why it is no JSON is not told: the words would be the token's.
fn json<T: DeserializeOwned>(part: &str) -> Result<T, RefusalReason> {
    let text = bytes(part)?;
    // A list would do for serde, its items being the fields in their order.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(RefusalReason::MalformedToken);
    }
    serde_json::from_slice(&text).map_err(|_| RefusalReason::MalformedToken)
}

fn bytes(part: &str) -> Result<Vec<u8>, RefusalReason> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| RefusalReason::MalformedToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str, claims: &str) -> Result<(), RefusalReason> {
        let text = format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        Token::parse(&text).map(drop)
    }

    const RS256: &str = r#"{"alg":"RS256","kid":"k"}"#;

    #[test]
    fn three_parts_of_base64url_with_json_objects_in_two() {
        assert_eq!(parse(RS256, "{}"), Ok(()));
        let whole = format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(RS256),
            URL_SAFE_NO_PAD.encode("{}")
        );
        assert!(Token::parse(&whole).is_ok());
        for text in [
            "",
            ".",
            "..",
            "...",
            "not.a.jwt",
            &whole[..whole.len() - 5],
            &format!("{whole}."),
            &format!("{whole}.AAAA"),
            &format!("{whole}="),
            &format!("{whole}!"),
            &format!(".{whole}"),
        ] {
            assert_eq!(
                Token::parse(text).err(),
                Some(RefusalReason::MalformedToken),
                "{text}"
            );
        }
        for claims in [
            "",
            "null",
            "[]",
            "[null,null,null,null,null,null,null,null,null,null]",
            "7",
            "{",
            "{}{}",
            "\u{0}",
        ] {
            assert_eq!(
                parse(RS256, claims),
                Err(RefusalReason::MalformedToken),
                "{claims}"
            );
        }
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(parse(RS256, &format!(r#"{{"x":{deep}}}"#)), Ok(()), "passed over");
        assert_eq!(
            parse(RS256, &format!(r#"{{"aud":{deep}}}"#)),
            Err(RefusalReason::MalformedToken)
        );
    }

    #[test]
    fn claims_are_of_one_type_and_said_once() {
        for claims in [
            r#"{"aud":["a"]}"#,
            r#"{"aud":7}"#,
            r#"{"exp":"7"}"#,
            r#"{"exp":1e999}"#,
            r#"{"iss":{}}"#,
            r#"{"aud":"a","aud":"b"}"#,
        ] {
            assert_eq!(
                parse(RS256, claims),
                Err(RefusalReason::MalformedToken),
                "{claims}"
            );
        }
        assert_eq!(
            parse(RS256, r#"{"exp":7.5,"nbf":-1,"aud":null,"x":[{}]}"#),
            Ok(())
        );
    }

    #[test]
    fn one_algorithm_and_no_extension() {
        for algorithm in [
            "none", "None", "", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256",
        ] {
            assert_eq!(
                parse(&format!(r#"{{"alg":"{algorithm}"}}"#), "{}"),
                Err(RefusalReason::UnsupportedAlgorithm),
                "{algorithm}"
            );
        }
        for header in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":"RS256","alg":"none"}"#,
            r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"RS256","kid":7}"#,
        ] {
            assert_eq!(
                parse(header, "{}"),
                Err(RefusalReason::MalformedToken),
                "{header}"
            );
        }
    }
}
