//! Who a request of the API comes from.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::keys::{Proved, Scope};

/// The other end of the connection, in the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Who has passed the gate, in the extensions of each request that did.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The id of the key, or `local`.
    pub(crate) id: String,
    pub(crate) name: String,
    scopes: Vec<Scope>,
    /// When the key's time is over.
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct End {
    revoked: CancellationToken,
    expires: Option<tokio::time::Instant>,
}

impl Caller {
    /// Whoever needs no key may do everything.
    pub(crate) fn local() -> Self {
        Self {
            id: audit::LOCAL.to_owned(),
            name: audit::LOCAL.to_owned(),
            scopes: Scope::ALL.to_vec(),
            end: None,
        }
    }

    pub(crate) fn with_key(key: Proved) -> Self {
        let expires = key.expires_in.map(|left| {
            let left = Duration::try_from(left).unwrap_or_default();
            tokio::time::Instant::now() + left
        });
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            end: Some(End {
                revoked: key.revoked,
                expires,
            }),
        }
    }

    pub(crate) fn may(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|scope| scope.allows(wanted))
    }

    /// Waits until the caller's key is revoked or expires: what was opened with it ends then.
    pub(crate) async fn ended(&self) {
        let Some(End { revoked, expires }) = &self.end else {
            return pending().await;
        };
        match expires {
            None => revoked.cancelled().await,
            Some(expires) => tokio::select! {
                () = revoked.cancelled() => {}
                () = tokio::time::sleep_until(*expires) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use jiff::SignedDuration;

    use super::*;

    fn proved(expires_in: Option<SignedDuration>) -> (Caller, CancellationToken) {
        let revoked = CancellationToken::new();
        let caller = Caller::with_key(Proved {
            id: "1".to_owned(),
            name: "one".to_owned(),
            scopes: vec![Scope::JobsRead],
            revoked: revoked.clone(),
            expires_in,
        });
        (caller, revoked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_ends_when_it_expires_or_is_revoked() {
        let (caller, _) = proved(Some(SignedDuration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(caller.ended().now_or_never().is_none());
        tokio::time::advance(Duration::from_secs(2)).await;
        caller.ended().await;
        let (caller, revoked) = proved(Some(SignedDuration::from_hours(24 * 3660)));
        assert!(caller.ended().now_or_never().is_none());
        revoked.cancel();
        caller.ended().await;
        let (caller, revoked) = proved(None);
        assert!(caller.ended().now_or_never().is_none());
        revoked.cancel();
        caller.ended().await;
        assert!(Caller::local().ended().now_or_never().is_none());
    }
}
