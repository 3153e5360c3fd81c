//! What is done to the ledger, at random.

use proptest::prelude::*;

use super::{CLASSES, CONVERSATIONS, Next, UnknownPolicy};

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Enqueue {
        conversation: usize,
        class: usize,
        /// Seconds; 0: at once.
        delay: i64,
        lives: i64,
        may_claim: bool,
        handler: bool,
        policy: UnknownPolicy,
        key: Option<u8>,
    },
    /// A batch, of which each goes to the next conversation and class, and every second has the key.
    EnqueueAll {
        count: usize,
        conversation: usize,
        class: usize,
        delay: i64,
        lives: i64,
        may_claim: bool,
        key: Option<u8>,
    },
    /// All that is ready is claimed.
    Claim,
    ReleaseDue,
    Settle {
        which: usize,
        how: How,
        next: Next,
    },
    /// All that is in hand in one commit, but for handlers.
    SettleAll {
        how: How,
        next: Next,
    },
    /// An outcome of a node that was declared dead.
    SettleLate {
        which: usize,
    },
    /// The node ends without a word, and another takes over.
    TakeOver,
    Wait {
        seconds: i64,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Delivered,
    /// Tried again after a while; of a handler as well.
    Retry {
        wait: i64,
        unknown: bool,
        pause: bool,
    },
    Dead,
    Unknown,
    Closed,
    PutBack,
    /// Of a handler: it has said so much. Of an activity as `Delivered`.
    Handled {
        children: usize,
    },
}

impl Op {
    /// The parts of a batch; of anything else itself.
    pub(super) fn parts(self) -> Vec<Op> {
        let Op::EnqueueAll {
            count,
            conversation,
            class,
            delay,
            lives,
            may_claim,
            key,
        } = self
        else {
            return vec![self];
        };
        let part = |nth: usize| Op::Enqueue {
            conversation: (conversation + nth) % CONVERSATIONS.len(),
            class: (class + nth / 2) % CLASSES.len(),
            delay,
            lives,
            may_claim,
            handler: nth % 3 == 2,
            policy: UnknownPolicy::ALL[nth % UnknownPolicy::ALL.len()],
            key: key.filter(|_| nth % 2 == 1),
        };
        (0..count).map(part).collect()
    }
}

fn policy() -> impl Strategy<Value = UnknownPolicy> {
    prop::sample::select(UnknownPolicy::ALL.to_vec())
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        6 => Just(How::Delivered),
        6 => (1..40_i64, any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(wait, unknown, pause)| How::Retry { wait, unknown, pause }),
        1 => Just(How::Dead),
        1 => Just(How::Unknown),
        1 => Just(How::Closed),
        2 => Just(How::PutBack),
        4 => (0..4_usize).prop_map(|children| How::Handled { children }),
    ]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let enqueue = (
        0..CONVERSATIONS.len(),
        0..CLASSES.len(),
        prop_oneof![3 => Just(0), 1 => 1..60_i64],
        prop_oneof![1 => 1..30_i64, 2 => 100..1_000_i64],
        any::<bool>(),
        prop::bool::weighted(0.3),
        policy(),
        prop::option::weighted(0.2, 0..6_u8),
    )
        .prop_map(
            |(conversation, class, delay, lives, may_claim, handler, policy, key)| Op::Enqueue {
                conversation,
                class,
                delay,
                lives,
                may_claim,
                handler,
                policy,
                key,
            },
        );
    let enqueue_all = (
        2..8_usize,
        0..CONVERSATIONS.len(),
        0..CLASSES.len(),
        prop_oneof![3 => Just(0), 1 => 1..60_i64],
        prop_oneof![1 => 1..30_i64, 2 => 100..1_000_i64],
        any::<bool>(),
        prop::option::weighted(0.3, 0..6_u8),
    )
        .prop_map(
            |(count, conversation, class, delay, lives, may_claim, key)| Op::EnqueueAll {
                count,
                conversation,
                class,
                delay,
                lives,
                may_claim,
                key,
            },
        );
    let next = || prop::sample::select(vec![Next::SameLane, Next::AnyLane]);
    prop_oneof![
        8 => enqueue,
        2 => enqueue_all,
        2 => (how(), next()).prop_map(|(how, next)| Op::SettleAll { how, next }),
        4 => Just(Op::Claim),
        3 => Just(Op::ReleaseDue),
        8 => (any::<prop::sample::Index>(), how(), next()).prop_map(|(which, how, next)| Op::Settle {
            which: which.index(64),
            how,
            next,
        }),
        1 => any::<prop::sample::Index>().prop_map(|which| Op::SettleLate { which: which.index(64) }),
        1 => Just(Op::TakeOver),
        3 => (1..50_i64).prop_map(|seconds| Op::Wait { seconds }),
    ]
}
