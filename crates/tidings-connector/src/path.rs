//! Paths of the Connector REST API, built from literals and from ids that may hold anything.

use http::uri::{PathAndQuery, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::SendError;
use crate::service_url::guard::ServiceUrl;

/// Everything but the unreserved characters of RFC 3986, 2.3: Teams ids hold `:` `;` `@` and `=`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A path under construction, on top of the serviceUrl's own path.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    service: &'a ServiceUrl,
    text: String,
    has_query: bool,
}

impl<'a> Path<'a> {
    pub(crate) fn new(service: &'a ServiceUrl) -> Self {
        let mut text = String::with_capacity(service.prefix().len() + 160);
        text.push_str(service.prefix());
        Self {
            service,
            text,
            has_query: false,
        }
    }

    /// `/v3/conversations/{conversationId}`, to be gone on with.
    pub(crate) fn conversation(service: &'a ServiceUrl, id: &str) -> Result<Self, SendError> {
        Self::new(service)
            .literal("/v3/conversations/")
            .id("conversation id", id)
    }

    /// `/v3/conversations/{conversationId}/activities/{activityId}`, to be gone on with.
    pub(crate) fn activity(
        service: &'a ServiceUrl,
        conversation_id: &str,
        id: &str,
    ) -> Result<Self, SendError> {
        Self::conversation(service, conversation_id)?
            .literal("/activities/")
            .id("activity id", id)
    }

    /// Literal text, in which nothing needs encoding.
    pub(crate) fn literal(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// One path segment, encoded. `name` says in an error which id it was.
    pub(crate) fn id(mut self, name: &'static str, id: &str) -> Result<Self, SendError> {
        match id {
            // Would address another endpoint: `/v3/conversations//activities`.
            "" => {
                return Err(SendError::refused(format!(
                    "the {name} is empty: nothing can be addressed by it"
                )));
            }
            // As they are, they would be resolved as steps in the path.
            "." => self.text.push_str("%2E"),
            ".." => self.text.push_str("%2E%2E"),
            _ => self.text.extend(utf8_percent_encode(id, RESERVED)),
        }
        Ok(self)
    }

    /// A query parameter, if it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.text.push(if self.has_query { '&' } else { '?' });
            self.text.push_str(name);
            self.text.push('=');
            self.text.extend(utf8_percent_encode(value, RESERVED));
            self.has_query = true;
        }
        self
    }

    /// The whole address.
    pub(crate) fn finish(self) -> Result<Uri, SendError> {
        let length = self.text.len();
        let path = PathAndQuery::from_maybe_shared(bytes::Bytes::from(self.text)).map_err(|error| {
            SendError::refused(format!(
                "the ids make a path of {length} bytes that HTTP cannot carry: {error}"
            ))
        })?;
        self.service.address(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, ServiceUrlPolicy};

    fn service(url: &str) -> ServiceUrl {
        ServiceUrlPolicy::local().admit(url).expect("a local serviceUrl")
    }

    fn encoded(id: &str) -> String {
        let service = service("http://127.0.0.1:9/base/");
        let uri = Path::new(&service)
            .literal("/v3/")
            .id("id", id)
            .expect("an id")
            .finish()
            .expect("a uri");
        uri.to_string()
            .strip_prefix("http://127.0.0.1:9/base/v3/")
            .expect("the prefix")
            .to_owned()
    }

    #[test]
    fn ids_are_one_segment() {
        assert_eq!(encoded("plain-Id_1.2~3"), "plain-Id_1.2~3");
        assert_eq!(encoded("a/b?c#d%e"), "a%2Fb%3Fc%23d%25e");
        assert_eq!(
            encoded("19:x@thread.tacv2;messageid=1"),
            "19%3Ax%40thread.tacv2%3Bmessageid%3D1"
        );
        assert_eq!(encoded("a b\tc\n\0\u{7f}\\"), "a%20b%09c%0A%00%7F%5C");
        assert_eq!(
            encoded("gr\u{fc}\u{df}e \u{1f44b}"),
            "gr%C3%BC%C3%9Fe%20%F0%9F%91%8B"
        );
        assert_eq!(
            encoded("!'()*&+,$[]|<>\"`{}^"),
            "%21%27%28%29%2A%26%2B%2C%24%5B%5D%7C%3C%3E%22%60%7B%7D%5E"
        );
        assert_eq!(encoded("%2E"), "%252E");
    }

    #[test]
    fn dots_do_not_step() {
        assert_eq!(encoded("."), "%2E");
        assert_eq!(encoded(".."), "%2E%2E");
        assert_eq!(encoded("..."), "...");
        assert_eq!(encoded("../.."), "..%2F..");
    }

    #[test]
    fn an_empty_id_is_refused() {
        let service = service("http://127.0.0.1:9");
        let error = Path::new(&service)
            .id("conversation id", "")
            .expect_err("no segment");
        assert_eq!(error.phase, Phase::Refused);
        assert!(error.message.contains("conversation id"), "{}", error.message);
    }

    #[test]
    fn queries_are_encoded_and_joined() {
        let service = service("http://127.0.0.1:9");
        let uri = Path::new(&service)
            .literal("/v3/c")
            .query("left", None)
            .query("pageSize", Some("5"))
            .query("continuationToken", Some("a+b/c=&d"))
            .finish()
            .expect("a uri");
        assert_eq!(
            uri.to_string(),
            "http://127.0.0.1:9/v3/c?pageSize=5&continuationToken=a%2Bb%2Fc%3D%26d"
        );
    }

    #[test]
    fn a_path_longer_than_http_allows_is_refused() {
        let service = service("http://127.0.0.1:9");
        let path = |length: usize| {
            Path::new(&service)
                .literal("/")
                .id("id", &"x".repeat(length))
                .expect("an id")
                .finish()
        };
        assert!(path(60_000).is_ok());
        let error = path(70_000).expect_err("too long");
        assert_eq!(error.phase, Phase::Refused);
    }
}
