//! The API of a running server, and what its refusals mean to whoever typed the command.

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidings_server::{Config, Scope};

use crate::Failure;
use crate::arguments::Access;
use crate::request::{self, Ask, Events, NOTHING_LISTENS};

/// A server and the key for it.
pub(crate) struct Api {
    server: String,
    key: Option<SecretString>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    message: String,
    /// What of the request is meant.
    field: Option<String>,
}

impl Api {
    /// The server that is named, or the one that `config` would start.
    pub(crate) fn new(access: &Access, config: &Config) -> Self {
        let server = match &access.server {
            Some(server) => server.trim_end_matches('/').to_owned(),
            None => {
                let mut listen = config.listen;
                match listen.ip() {
                    ip if !ip.is_unspecified() => {}
                    ip if ip.is_ipv4() => listen.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
                    _ => listen.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
                }
                format!("http://{listen}")
            }
        };
        Self {
            server,
            key: access.key.clone(),
        }
    }

    /// The body of the answer; `scope` is what the server wants a key to have.
    pub(crate) async fn ask(&self, ask: Ask, scope: Scope) -> Result<String, Failure> {
        match self.ask_if_there(ask, scope).await? {
            Some(body) => Ok(body),
            None => Err(self.no_server(NOTHING_LISTENS)),
        }
    }

    /// As [`ask`](Self::ask); `None` if nothing listens there.
    pub(crate) async fn ask_if_there(&self, ask: Ask, scope: Scope) -> Result<Option<String>, Failure> {
        match request::send(&self.server, self.key.as_ref(), ask).await {
            Ok((status, body)) if status.is_success() => Ok(Some(body)),
            Ok((status, body)) => Err(self.refused(status, &body, scope)),
            Err(NOTHING_LISTENS) => Ok(None),
            Err(problem) => Err(self.no_server(problem)),
        }
    }

    /// A stream of events. `Err` in the second place if nothing listens there now, or whatever does is stopping.
    pub(crate) async fn events(
        &self,
        target: &str,
        scope: Scope,
    ) -> Result<Result<Events, Failure>, Failure> {
        match request::open(&self.server, self.key.as_ref(), Ask::get(target)).await {
            Ok(Ok(events)) => Ok(Ok(events)),
            Ok(Err((status @ StatusCode::SERVICE_UNAVAILABLE, body))) => {
                Ok(Err(self.refused(status, &body, scope)))
            }
            Ok(Err((status, body))) => Err(self.refused(status, &body, scope)),
            Err(NOTHING_LISTENS) => Ok(Err(self.no_server(NOTHING_LISTENS))),
            Err(problem) => Err(self.no_server(problem)),
        }
    }

    fn refused(&self, status: StatusCode, body: &str, scope: Scope) -> Failure {
        let server = &self.server;
        let Ok(Refusal { error }) = serde_json::from_str(body) else {
            return Failure::NoServer(format!(
                "the server at {server} answered {status}; is it a Tidings server?"
            ));
        };
        let message = error.message;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let other_way = match scope {
                    Scope::JobsRead | Scope::JobsWrite | Scope::DeliveriesRead | Scope::DeliveriesWrite => "",
                    _ => "; or stop the server and run this again, which then opens the database itself",
                };
                // A key can give away only what it has itself.
                let wanted = match error.field.as_deref() {
                    Some("scopes") => "those scopes".to_owned(),
                    _ => format!("the scope {scope}"),
                };
                Failure::NotAllowed(format!(
                    "the server at {server} refused: {message}. \
                     Put a key with {wanted} into TIDINGS_API_KEY{other_way}"
                ))
            }
            _ if error.field.as_deref() == Some("reopen") => Failure::Other(format!(
                "the server at {server} refused: {message}. With --reopen the conversation is opened first"
            )),
            _ => Failure::Other(format!("the server at {server} refused: {message}")),
        }
    }

    fn no_server(&self, problem: &str) -> Failure {
        Failure::NoServer(format!(
            "no server at {}: {problem}; start one with `tidings serve`, or name it with --server URL",
            self.server
        ))
    }

    /// What the body says.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &str) -> Result<T, Failure> {
        serde_json::from_str(body).map_err(|_| {
            Failure::NoServer(format!(
                "what answers at {} is no Tidings server; name it with --server URL",
                self.server
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_key_that_would_do() {
        let api = Api {
            server: "http://127.0.0.1:3978".to_owned(),
            key: None,
        };
        let says = |body: &str| {
            api.refused(StatusCode::FORBIDDEN, body, Scope::KeysWrite)
                .to_string()
        };
        let lacks =
            says(r#"{"error":{"code":"MissingScope","message":"this API key lacks the scope keys:write"}}"#);
        assert!(
            lacks.contains("Put a key with the scope keys:write into"),
            "{lacks}"
        );
        // It has keys:write, and not what it would give away.
        let gives = says(r#"{"error":{"code":"MissingScope","message":"lacks jobs:read","field":"scopes"}}"#);
        assert!(gives.contains("Put a key with those scopes into"), "{gives}");
    }
}
