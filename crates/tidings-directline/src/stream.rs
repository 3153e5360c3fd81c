//! One live WebSocket: everything after its watermark, then everything as it is committed.
//!
//! The socket reads the history from its own position whenever it is told of a commit, so nothing is lost or
//! doubled however notifications and reconnects interleave, and a slow socket costs no memory: what it has
//! not taken waits in the database.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use tidings_store::StoreError;
use tokio::time::{Instant, sleep_until, timeout};

use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::history::{History, Page, activity_set};
use crate::live::Seat;

/// Most activities of one frame.
const FRAME_ACTIVITIES: usize = 100;

/// How long the client has to answer a close frame.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(1);

/// Why a socket ends.
enum End {
    /// The client left, or does not take what is sent.
    Gone,
    /// We close it.
    Close(u16, &'static str),
}

pub(crate) struct Stream {
    pub(crate) channel: Arc<Channel>,
    pub(crate) conversation: Conversation,
    pub(crate) socket: WebSocket,
    pub(crate) seat: Seat,
    pub(crate) position: i64,
}

impl Stream {
    pub(crate) async fn run(mut self) {
        let Err(End::Close(code, reason)) = self.follow().await else {
            return;
        };
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        if timeout(GOODBYE, self.socket.send(Message::Close(Some(frame))))
            .await
            .is_ok()
        {
            let farewell = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _no_answer = timeout(GOODBYE, farewell).await;
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, End> {
        let collision = self.seat.collision.clone();
        let closing = self.channel.closing.clone();
        let keep_alive = self.channel.limits().keep_alive;
        self.catch_up().await?;
        let mut idle_until = Instant::now() + keep_alive;
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => return Err(End::Close(close_code::AWAY, "The server is shutting down")),
                () = collision.cancelled() => return Err(End::Close(close_code::POLICY, "Collision")),
                received = self.socket.recv() => match received {
                    // A keep-alive, something that a stream has no use for, or the client's farewell: the answer to that
                    // leaves with the next look at the socket, which then is at its end (RFC 6455, section 5.5.1).
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return Err(End::Gone),
                },
                Some(passing) = self.seat.passing.recv() => {
                    if passing.position > self.position {
                        self.catch_up().await?;
                    }
                    self.write(activity_set(&[passing.body], None)).await?;
                }
                Ok(()) = self.seat.committed.changed() => self.catch_up().await?,
                () = sleep_until(idle_until) => self.write(String::new()).await?,
            }
            idle_until = Instant::now() + keep_alive;
        }
    }

    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let page = self.next_page().await.map_err(|error| {
                tracing::error!(%error, conversation.id = %self.conversation.id, "a stream could not read its history");
                End::Close(close_code::ERROR, "The history cannot be read")
            })?;
            if page.activities.is_empty() {
                return Ok(());
            }
            self.write(activity_set(&page.activities, Some(page.watermark)))
                .await?;
            self.position = page.watermark;
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn next_page(&mut self) -> Result<Page, StoreError> {
        let (number, id, position) = (
            self.conversation.number,
            self.conversation.id.clone(),
            self.position,
        );
        self.channel
            .db
            .read(move |tx| History::new(tx, number, &id).page(Some(position), FRAME_ACTIVITIES))
            .await
    }

    async fn write(&mut self, frame: String) -> Result<(), End> {
        match timeout(
            self.channel.limits().write_timeout,
            self.socket.send(Message::Text(frame.into())),
        )
        .await
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_slow) => {
                tracing::info!(conversation.id = %self.conversation.id, "a slow stream is dropped; its client reconnects");
                Err(End::Gone)
            }
        }
    }
}
