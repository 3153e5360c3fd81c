//! The proof of how far a request came: a body that notes its first poll and can be called back before it.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::Phase;

const WAITING: u8 = 0;
const LEFT: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Our end: asks whether the body left, and makes the answer final.
#[derive(Debug, Clone)]
pub(crate) struct Departure(Arc<AtomicU8>);

impl Departure {
    /// Settles the question. If the body has not begun to leave, it never will: a connection that polls it later, on
    /// another thread, gets an error and writes nothing. Without that, "not yet" would be no proof.
    pub(crate) fn settle(&self) -> Phase {
        match self
            .0
            .compare_exchange(WAITING, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(WITHDRAWN) => Phase::BeforeBody,
            Err(_) => Phase::AfterBody,
        }
    }

    fn leave(&self) -> Result<(), Withdrawn> {
        match self
            .0
            .compare_exchange(WAITING, LEFT, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) | Err(LEFT) => Ok(()),
            Err(_) => Err(Withdrawn),
        }
    }
}

/// A request's body, whole or none.
#[derive(Debug)]
pub(crate) struct Payload {
    bytes: Option<Bytes>,
    departure: Departure,
}

impl Payload {
    /// The HTTP connection polls no body where there is none, so such a request counts as left from the start.
    pub(crate) fn new(bytes: Option<Bytes>) -> (Self, Departure) {
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        let state = if bytes.is_some() { WAITING } else { LEFT };
        let departure = Departure(Arc::new(AtomicU8::new(state)));
        (
            Self {
                bytes,
                departure: departure.clone(),
            },
            departure,
        )
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        if let Err(withdrawn) = self.departure.leave() {
            return Poll::Ready(Some(Err(withdrawn)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// The caller gave up before the body left.
#[derive(Debug)]
pub(crate) struct Withdrawn;

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up before its body left")
    }
}

impl Error for Withdrawn {}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(payload: &mut Payload) -> Option<Result<Bytes, Withdrawn>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(payload).poll_frame(&mut context) {
            Poll::Ready(frame) => {
                frame.map(|frame| frame.map(|frame| frame.into_data().expect("only data frames")))
            }
            Poll::Pending => unreachable!("a payload is always ready"),
        }
    }

    #[test]
    fn a_polled_body_has_left() {
        let (mut payload, departure) = Payload::new(Some(Bytes::from_static(b"{}")));
        assert_eq!(payload.size_hint().exact(), Some(2));
        assert_eq!(poll(&mut payload).expect("a frame").expect("data"), "{}");
        assert!(payload.is_end_stream());
        assert_eq!(departure.settle(), Phase::AfterBody);
    }

    #[test]
    fn a_settled_body_never_leaves() {
        let (mut payload, departure) = Payload::new(Some(Bytes::from_static(b"{}")));
        assert_eq!(departure.settle(), Phase::BeforeBody);
        assert!(matches!(poll(&mut payload), Some(Err(Withdrawn))));
        assert_eq!(departure.settle(), Phase::BeforeBody);
    }

    #[test]
    fn without_a_body_there_is_no_proof() {
        for bytes in [None, Some(Bytes::new())] {
            let (payload, departure) = Payload::new(bytes);
            assert!(payload.is_end_stream());
            assert_eq!(departure.settle(), Phase::AfterBody);
        }
    }

    #[test]
    fn a_race_has_one_winner() {
        for _ in 0..1_000 {
            let (mut payload, departure) = Payload::new(Some(Bytes::from_static(b"{}")));
            let (left, phase) = std::thread::scope(|scope| {
                let sender = scope.spawn(|| matches!(poll(&mut payload), Some(Ok(_))));
                let phase = departure.settle();
                (sender.join().expect("the sender"), phase)
            });
            assert_eq!(left, phase == Phase::AfterBody);
        }
    }
}
