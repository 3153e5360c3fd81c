use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Connection, Error, Row, Socket, Statement};

use super::statement::translate;
use super::tls::TlsStream;
use crate::PostgresError;
use crate::postgres_error::words;

/// The most statements that a connection keeps prepared; then it begins anew.
const STATEMENTS: usize = 512;

/// What a statement's result is wanted as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    Count,
    Rows,
}

/// What a statement answered.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) count: u64,
    pub(super) rows: Vec<Row>,
}

/// Why a statement has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused; the connection lives, the transaction does not.
    Refused(PostgresError),
    /// It was not even sent: a parameter does not fit.
    Unsent(String),
    /// The connection has ended.
    Gone(String),
}

/// One connection to the server, driven by the thread that uses it: no other thread wakes up for a statement.
pub(super) struct Session {
    client: Client,
    wire: Wire,
    statements: HashMap<String, Statement>,
}

/// The connection's lower half.
struct Wire {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// `None` once it has ended.
    connection: Option<Connection<Socket, TlsStream>>,
    /// How long the server may be silent.
    patience: Duration,
    /// The server's last words.
    last_words: Option<String>,
}

impl Session {
    pub(super) fn new(
        client: Client,
        connection: Connection<Socket, TlsStream>,
        runtime: Runtime,
        patience: Duration,
    ) -> Session {
        let wire = Wire {
            runtime: Some(runtime),
            connection: Some(connection),
            patience,
            last_words: None,
        };
        Session {
            client,
            wire,
            statements: HashMap::new(),
        }
    }

    /// A setting that the server reports by itself, such as `server_version`.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.wire.connection.as_ref()?.parameter(name)
    }

    /// Whether the connection still stands, as far as is known without a question to the server.
    pub(super) fn is_alive(&mut self) -> bool {
        self.wire.look();
        self.stands()
    }

    /// Whether the connection stood when it was last used.
    pub(super) fn stands(&self) -> bool {
        self.wire.connection.is_some()
    }

    /// Sets how long the server may be silent, and returns how long it might before.
    pub(super) fn set_patience(&mut self, patience: Duration) -> Duration {
        std::mem::replace(&mut self.wire.patience, patience)
    }

    /// Runs statements that have no parameters.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.wire.drive(self.client.batch_execute(sql))
    }

    /// Prepares a statement, or finds it prepared. `suffix` is part of its text.
    pub(super) fn prepare(&mut self, sql: &str, suffix: &str) -> Result<Statement, Failure> {
        if suffix.is_empty()
            && let Some(known) = self.statements.get(sql)
        {
            return Ok(known.clone());
        }
        let text = format!("{sql}{suffix}");
        if let Some(known) = self.statements.get(&text) {
            return Ok(known.clone());
        }
        let statement = self.wire.drive(self.client.prepare(&translate(&text)))?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(text, statement.clone());
        Ok(statement)
    }

    /// Runs a statement; `begin`, if given, travels ahead of it and costs no trip of its own.
    pub(super) fn ask(
        &mut self,
        begin: Option<&str>,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
        want: Want,
    ) -> Result<Answer, Failure> {
        let client = &self.client;
        let ask = async {
            Ok(match want {
                Want::Count => Answer {
                    count: client.execute(statement, params).await?,
                    ..Answer::default()
                },
                Want::Rows => Answer {
                    rows: client.query(statement, params).await?,
                    ..Answer::default()
                },
            })
        };
        let answer = match begin {
            None => self.wire.drive(ask),
            Some(begin) => self.wire.drive(async {
                // Both are sent, in this order, before the first answer is waited for.
                let (begun, answer) = tokio::join!(client.batch_execute(begin), ask);
                begun.and(answer)
            }),
        };
        if let Err(Failure::Refused(error)) = &answer
            && error.is_stale_statement()
        {
            self.statements.clear();
        }
        answer
    }
}

/// Lets the connection send and receive. False if it has just ended.
fn move_on(
    connection: &mut Option<Connection<Socket, TlsStream>>,
    last_words: &mut Option<String>,
    cx: &mut Context<'_>,
) -> bool {
    while let Some(open) = connection {
        match open.poll_message(cx) {
            Poll::Pending => return true,
            // A notice.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => {
                *last_words = Some(words(&error));
                *connection = None;
            }
            Poll::Ready(None) => *connection = None,
        }
    }
    false
}

impl Wire {
    /// Takes in what has arrived, such as the end of the connection, and waits for nothing.
    fn look(&mut self) {
        let Wire {
            runtime,
            connection,
            last_words,
            ..
        } = self;
        if let Some(runtime) = runtime {
            runtime.block_on(async {
                // Lets the runtime ask the system.
                tokio::task::yield_now().await;
                poll_fn(|cx| Poll::Ready(move_on(connection, last_words, cx))).await;
            });
        }
    }

    /// Waits for a question's answer, and moves the connection meanwhile.
    fn drive<T>(&mut self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        let Wire {
            runtime,
            connection,
            patience,
            last_words,
        } = self;
        let Some(runtime) = runtime else {
            return Err(Failure::Gone("the connection was closed".to_owned()));
        };
        let mut question = pin!(question);
        let both = poll_fn(|cx| {
            loop {
                // First the question, which is then sent in the same turn.
                if let Poll::Ready(answer) = question.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                // Once the connection has ended, the question learns that there will be no answer.
                if connection.is_none() || move_on(connection, last_words, cx) {
                    return Poll::Pending;
                }
            }
        });
        let answer = runtime.block_on(async { tokio::time::timeout(*patience, both).await });
        let error = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                *connection = None;
                return Err(Failure::Gone(format!(
                    "it was silent for {} s",
                    patience.as_secs()
                )));
            }
        };
        match PostgresError::from_server(&error) {
            Some(refusal) if refusal.ends_connection() => {
                *connection = None;
                Err(Failure::Gone(refusal.to_string()))
            }
            Some(refusal) => Err(Failure::Refused(refusal)),
            None if connection.is_none() => {
                Err(Failure::Gone(last_words.take().unwrap_or_else(|| words(&error))))
            }
            None => Err(Failure::Unsent(words(&error))),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Says farewell to the server, if that can be done at once and here.
        if let Some(runtime) = self.runtime.take() {
            let elsewhere = Handle::try_current().is_ok();
            if let Some(mut connection) = self.connection.take().filter(|_| !elsewhere) {
                let farewell = poll_fn(|cx| {
                    let _ = connection.poll_message(cx);
                    Poll::Ready(())
                });
                runtime.block_on(farewell);
            }
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        }
    }
}
