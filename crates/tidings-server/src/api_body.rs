//! Bodies of the server's own API: a JSON object, field by field, so that an error can name the field.

use axum::body::{Body, Bytes};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::api_error::ApiError;

/// The largest body.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON object that is taken apart.
#[derive(Debug)]
pub(crate) struct ApiBody(Map<String, Value>);

/// Refuses what a form of a foreign page could send: anything that does not say it is JSON.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if is_json {
        return Ok(());
    }
    let message = "the request must have Content-Type: application/json";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BadArgument", message).field("Content-Type"))
}

/// Reads a body that says it is JSON, or an empty one.
pub(crate) async fn read_bytes(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, ApiError> {
    let bytes = match Limited::new(body, most).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the body must not be larger than {most} bytes");
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "MessageSizeTooBig",
                message,
            ));
        }
        Err(_) => return Err(bad_syntax("the body broke off or came too slowly")),
    };
    if !bytes.is_empty() {
        check_content_type(headers)?;
    }
    Ok(bytes)
}

impl ApiBody {
    /// Reads the body; an empty one counts as an object without fields.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        let bytes = read_bytes(headers, body, MAX_BODY_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(bad_syntax("the body must be a JSON object")),
            Err(error) => Err(bad_syntax(format!("the body is not JSON: {error}"))),
        }
    }

    /// Takes a field out; null counts as not there.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field).filter(|value| !value.is_null())
    }

    /// Takes a field that holds a text.
    pub(crate) fn take_text(&mut self, field: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad_argument(field, "must be a string")),
        }
    }

    /// Refuses what is left: a misspelt field would be ignored silently otherwise.
    pub(crate) fn finish(self, known: &str) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((field, _)) => {
                let field: String = field.chars().take(100).collect();
                let message = format!("{field:?} is not a field of this request, which has {known}");
                Err(ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", message).field(field))
            }
        }
    }
}

pub(crate) fn bad_syntax(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "BadSyntax", message)
}

/// Refuses an id that no database could keep, so that there is none.
pub(crate) fn check_nul(field: &'static str, text: &str) -> Result<(), ApiError> {
    match text.contains('\0') {
        true => Err(bad_argument(field, "must not hold the NUL character")),
        false => Ok(()),
    }
}

/// 400 that names the field and says what it must be.
pub(crate) fn bad_argument(field: &'static str, problem: &str) -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "BadArgument",
        format!("{field} {problem}"),
    )
    .field(field)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("Application/JSON; charset=utf-8"),
        )])
    }

    async fn read(text: impl Into<Body>) -> Result<ApiBody, u16> {
        ApiBody::read(&json(), text.into())
            .await
            .map_err(|error| error.status.as_u16())
    }

    #[tokio::test]
    async fn objects_only() {
        let mut body = read(r#"{"a":"x","b":null,"c":1}"#).await.unwrap();
        assert_eq!(body.take_text("a"), Ok(Some("x".to_owned())));
        assert_eq!(body.take_text("b"), Ok(None));
        assert_eq!(
            body.take_text("c").unwrap_err().field.as_deref(),
            Some("c"),
            "the field is named"
        );
        assert_eq!(body.finish("a and b"), Ok(()));
        let error = read(r#"{"mesage":"x"}"#)
            .await
            .unwrap()
            .finish("message")
            .unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.field.as_deref()),
            (400, Some("mesage"))
        );
        for text in ["[]", "1", "{", "\u{feff}{}", "{} {}"] {
            assert_eq!(read(text).await.unwrap_err(), 400, "{text}");
        }
        assert_eq!(read("").await.unwrap().finish("nothing"), Ok(()));
    }

    #[tokio::test]
    async fn a_body_is_bounded() {
        let of_length = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        for (length, expected) in [
            (MAX_BODY_BYTES - 1, None),
            (MAX_BODY_BYTES, None),
            (MAX_BODY_BYTES + 1, Some(413)),
        ] {
            assert_eq!(read(of_length(length)).await.err(), expected, "{length}");
        }
    }

    #[tokio::test]
    async fn what_a_form_can_send_is_refused() {
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonp"),
        ] {
            let headers: HeaderMap = kind
                .map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind)))
                .into_iter()
                .collect();
            let error = ApiBody::read(&headers, Body::from("{}")).await.unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.field.as_deref()),
                (415, Some("Content-Type")),
                "{kind:?}"
            );
            assert_eq!(check_content_type(&headers).unwrap_err().status.as_u16(), 415);
        }
        assert!(check_content_type(&json()).is_ok());
    }
}
