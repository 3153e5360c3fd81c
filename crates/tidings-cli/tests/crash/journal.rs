//! What the channel saw and what it answered, written before it answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// How the channel treats a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Reply {
    /// The user sees it, and 200 says so.
    Accept,
    /// As [`Reply::Accept`], after a while that no client gives up in.
    AcceptLate(Duration),
    /// The user sees it, and the answer comes when the client has given up.
    AcceptTooLate(Duration),
    /// The user sees it, and the answer is 500.
    AcceptAndFail,
    /// The user sees it, and the connection is closed in place of an answer.
    AcceptAndClose,
    /// 429 with a Retry-After.
    Throttle,
    /// The connection is closed when the body was read; the user sees nothing.
    Close,
    /// The connection is closed when the head was read; the user sees nothing.
    CloseUnread,
}

impl Reply {
    /// Whether the user sees the message.
    pub(crate) fn accepts(self) -> bool {
        !matches!(self, Self::Throttle | Self::Close | Self::CloseUnread)
    }

    /// Whether a client that lives knows afterwards what became of the message.
    pub(crate) fn tells(self) -> bool {
        matches!(self, Self::Accept | Self::AcceptLate(_) | Self::Throttle)
    }
}

/// One POST.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Post {
    pub(crate) at: Timestamp,
    pub(crate) conversation: String,
    /// The activity's text; `None` where the body was not read.
    pub(crate) text: Option<String>,
    pub(crate) reply: Reply,
    /// Its place in the journal.
    pub(crate) place: usize,
    /// The id that the activity got in the channel.
    pub(crate) activity_id: String,
    /// When the answer, or the end of the connection, was on its way.
    pub(crate) answered_at: Option<Timestamp>,
}

/// A shared journal.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    pages: Arc<Mutex<Pages>>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Pages {
    posts: Vec<Post>,
    /// How often each text was posted.
    times: BTreeMap<String, u64>,
}

impl Journal {
    /// How often this text has been posted, this time included.
    pub(crate) fn another(&self, text: &str) -> u64 {
        let mut pages = self.pages();
        let times = pages.times.entry(text.to_owned()).or_default();
        *times += 1;
        *times
    }

    /// Writes a POST down and returns its place.
    pub(crate) fn write(&self, conversation: &str, text: Option<String>, reply: Reply) -> usize {
        let mut pages = self.pages();
        let place = pages.posts.len();
        pages.posts.push(Post {
            at: Timestamp::now(),
            conversation: conversation.to_owned(),
            text,
            reply,
            place,
            activity_id: activity_id(place),
            answered_at: None,
        });
        self.count.send_replace(pages.posts.len());
        place
    }

    /// How many different texts were posted.
    pub(crate) fn texts(&self) -> usize {
        self.pages().times.len()
    }

    pub(crate) fn answered(&self, place: usize) {
        self.pages().posts[place].answered_at = Some(Timestamp::now());
    }

    pub(crate) fn all(&self) -> Vec<Post> {
        self.pages().posts.clone()
    }

    /// How many POSTs there were, and a signal for each further one.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Waits until there have been so many further POSTs.
    pub(crate) async fn grow(&self, by: usize) {
        let mut count = self.watch();
        let wanted = *count.borrow() + by;
        count.wait_for(|count| *count >= wanted).await.unwrap();
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }
}

/// The id that the channel gives to the activity of the POST at `place`.
pub(crate) fn activity_id(place: usize) -> String {
    format!("a-{place}")
}
