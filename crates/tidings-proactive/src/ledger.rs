//! What is on record: every statement that touches lanes, deliveries, attempts and nodes.
//!
//! A conversation is a lane. A lane is *claimed* by a node (`node` is set) and then exactly one of its deliveries is
//! `sending`; or it *waits* (`next_at` is set) until a node claims it; or nothing in it is ready (both are NULL). Each
//! function here keeps that so within one transaction. Whoever writes for a claimed lane brings the epoch that its
//! claim was given: if another node has taken the lane over meanwhile, the write is refused.
//!
//! Where several rows are locked, lanes come before deliveries and rise by their ids, so that nodes on one PostgreSQL
//! do not wait for each other in a circle.

mod addressed;
mod budget;
mod claim;
mod dedupe;
mod enqueue;
mod heads;
mod lane;
mod new_rows;
mod nodes;
pub(crate) mod operate;
mod owed;
pub(crate) mod prune;
pub(crate) mod read;
mod rearm;
mod settle;
mod start;
mod suspect;
mod timers;

pub(crate) use addressed::make_known;
pub(crate) use budget::load_rules;
pub(crate) use claim::{Allowance, Claimed, Claiming, claim_ready};
pub(crate) use enqueue::{
    Content, Dedupe, Enqueued, Insist, NewDelivery, Parent, Refusal, enqueue, enqueue_all,
};
pub(crate) use lane::{closed_lane, closed_lanes, reopen};
pub(crate) use nodes::{
    LaneLimits, NodeId, SignOfLife, TakenOver, end_own_waits, heartbeat, leave, others, put_back_all,
    register, register_again, take_over, take_over_all, take_over_strays,
};
pub(crate) use owed::{count_nodes, owed_to_tenant, owed_to_tenants};
pub(crate) use settle::{Ending, Failed, Next, Outcome, Settled, settle_all, settle_handled};
pub(crate) use timers::{clock_was_set_back, next_due, release_due};

use tidings_store::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

#[cfg(test)]
mod tests;
