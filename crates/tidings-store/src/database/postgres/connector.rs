use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::config::SslMode;

use super::server_url::ServerUrl;
use super::session::{Failure, Session};
use super::tls::{Tls, Trust};
use crate::postgres_error::words;
use crate::{OpenError, PostgresError, StoreError};

/// The oldest major version that is served.
const OLDEST: u32 = 15;

/// How long an operation waits, from when it was queued, for a server that is gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection may take altogether, names and passwords included.
const CONNECT: Duration = Duration::from_secs(10);

/// The server is given this much longer than a statement may take before it counts as gone.
const GRACE: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Makes connections, and remembers for all threads that the server is away.
pub(super) struct Connector {
    pub(super) url: ServerUrl,
    pub(super) server: String,
    tls: Tls,
    statement_timeout: Duration,
    away: Mutex<Option<Away>>,
    /// Told when the server answers again.
    back: Condvar,
}

/// The server did not answer the last time.
struct Away {
    error: StoreError,
    /// Before that it is not asked again.
    until: Instant,
    pause: Duration,
}

impl Connector {
    pub(super) fn new(url: ServerUrl, statement_timeout: Duration) -> Result<Connector, OpenError> {
        let server = url.server();
        let trust = match url.config.get_ssl_mode() {
            // It is made, but never asked.
            SslMode::Disable => Trust::Anyone,
            _ => url.trust(),
        };
        let tls = Tls::new(trust).map_err(|source| OpenError::Tls {
            server: server.clone(),
            source,
        })?;
        Ok(Connector {
            url,
            server,
            tls,
            statement_timeout,
            away: Mutex::new(None),
            back: Condvar::new(),
        })
    }

    /// A new connection, ready for our statements, with `settings` in force. The schema need not be there yet.
    pub(super) fn connect(&self, settings: &str) -> Result<Session, OpenError> {
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Unreachable {
            server: self.server.clone(),
            source,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| OpenError::Thread {
                database: self.url.to_string(),
                source,
            })?;
        let connected = runtime.block_on(async {
            tokio::time::timeout(CONNECT, self.url.config.connect(self.tls.clone())).await
        });
        let (client, connection) = match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => {
                runtime.shutdown_background();
                return Err(self.open_error(&error));
            }
            Err(_) => {
                runtime.shutdown_background();
                return Err(unreachable(
                    format!("it did not answer within {} s", CONNECT.as_secs()).into(),
                ));
            }
        };
        let mut session = Session::new(client, connection, runtime, self.statement_timeout + GRACE);
        check(&self.server, |name| session.parameter(name).unwrap_or_default())?;
        // An operator's wish for more durability stays, one for less does not.
        let settings = format!(
            "SET search_path TO {schema}; SET statement_timeout TO {timeout}; SET lock_timeout TO {timeout};
             SET idle_in_transaction_session_timeout TO '5s'; SET jit TO off; SET client_min_messages TO warning;
             {settings};
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
            schema = self.url.schema,
            timeout = self.statement_timeout.as_millis(),
        );
        session
            .batch(&settings)
            .map_err(|failure| self.open_failure(failure))?;
        Ok(session)
    }

    /// A connection for an operation that was queued at `since`. While the server is away, it is asked again and again,
    /// by one thread at a time more or less, until the operation has waited long enough.
    pub(super) fn connect_for(&self, since: Instant, settings: &str) -> Result<Session, StoreError> {
        let deadline = since + PATIENCE;
        loop {
            let mut state = self.lock();
            while let Some(away) = &*state {
                let now = Instant::now();
                let wait = away.until.saturating_duration_since(now);
                if wait.is_zero() {
                    break;
                }
                if now + wait > deadline {
                    return Err(away.error.clone());
                }
                state = self
                    .back
                    .wait_timeout(state, wait)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            drop(state);
            match self.connect(settings) {
                Ok(session) => {
                    if self.lock().take().is_some() {
                        tracing::info!(database.server = %self.server, "the database answers again");
                        self.back.notify_all();
                    }
                    return Ok(session);
                }
                Err(error) => self.went_away(&error),
            }
        }
    }

    fn went_away(&self, error: &OpenError) {
        let mut away = self.lock();
        let pause = match &*away {
            Some(away) => (away.pause * 2).min(LONGEST_PAUSE),
            None => {
                tracing::warn!(error = %error, "the database is gone");
                FIRST_PAUSE
            }
        };
        *away = Some(Away {
            error: StoreError::Gone {
                server: self.server.clone(),
                reason: error.to_string(),
            },
            until: Instant::now() + pause,
            pause,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is no connection.
    fn open_error(&self, error: &tokio_postgres::Error) -> OpenError {
        let server = self.server.clone();
        let Some(refusal) = PostgresError::from_server(error) else {
            let words = words(error);
            return if words.contains("TLS") {
                OpenError::Tls {
                    server,
                    source: words.into(),
                }
            } else if words.contains("password") || words.contains("authentication") {
                // The server asks for one, and there is none.
                let user = self.url.user().to_owned();
                let source = PostgresError::new("28P01", words);
                OpenError::LoginRefused { server, user, source }
            } else {
                OpenError::Unreachable {
                    server,
                    source: words.into(),
                }
            };
        };
        match refusal.code() {
            "28P01" | "28000" => OpenError::LoginRefused {
                server,
                user: self.url.user().to_owned(),
                source: refusal,
            },
            "3D000" => OpenError::NoSuchDatabase {
                server,
                name: self.url.name().to_owned(),
            },
            // It starts up or shuts down.
            _ if refusal.ends_connection() => OpenError::Unreachable {
                server,
                source: refusal.into(),
            },
            _ => OpenError::Postgres {
                server,
                source: refusal.into(),
            },
        }
    }

    /// Why a statement failed while the database was opened.
    pub(super) fn open_failure(&self, failure: Failure) -> OpenError {
        let server = self.server.clone();
        match failure {
            Failure::Refused(source) if source.code() == "53100" => OpenError::Full {
                database: self.url.to_string(),
            },
            Failure::Refused(source) => OpenError::Postgres {
                server,
                source: source.into(),
            },
            Failure::Unsent(reason) | Failure::Gone(reason) => OpenError::Unreachable {
                server,
                source: reason.into(),
            },
        }
    }
}

/// Refuses a server that cannot serve us, by what it says of itself.
fn check<'a>(server: &str, parameter: impl Fn(&str) -> &'a str) -> Result<(), OpenError> {
    let server = server.to_owned();
    let version = parameter("server_version").to_owned();
    let digits = version.split(|letter: char| !letter.is_ascii_digit()).next();
    let major: u32 = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    if major < OLDEST {
        return Err(OpenError::ServerTooOld { server, version });
    }
    let encoding = parameter("server_encoding").to_owned();
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { server, encoding });
    }
    if parameter("in_hot_standby") == "on" {
        return Err(OpenError::Standby { server });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_cannot_serve_us_are_refused() {
        let refused = |version: &'static str, encoding: &'static str, standby: &'static str| {
            check("db:5432", |name| match name {
                "server_version" => version,
                "server_encoding" => encoding,
                _ => standby,
            })
            .map_err(|error| error.to_string())
            .err()
        };
        for version in ["15.0", "15.18 (Debian 15.18-0+deb12u1)", "17beta1", "100.1"] {
            assert_eq!(refused(version, "UTF8", "off"), None, "{version}");
        }
        for version in ["14.9", "9.6.24", ""] {
            let text = refused(version, "UTF8", "off").unwrap();
            assert!(text.contains("db:5432") && text.contains("15 or newer"), "{text}");
        }
        assert!(refused("15.1", "LATIN1", "off").unwrap().contains("LATIN1"));
        assert!(refused("15.1", "UTF8", "on").unwrap().contains("standby"));
    }
}
