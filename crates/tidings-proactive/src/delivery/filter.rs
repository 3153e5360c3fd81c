use jiff::Timestamp;

use crate::delivery::{Delivery, DeliveryId, DeliveryState};

/// Which deliveries are asked for. The default asks for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryFilter {
    /// In one of these states; empty: in any.
    pub states: Vec<DeliveryState>,
    /// To this channel.
    pub channel_id: Option<String>,
    /// To this conversation.
    pub conversation_id: Option<String>,
    /// Put on record then or later.
    pub since: Option<Timestamp>,
    /// Put on record before then.
    pub until: Option<Timestamp>,
    /// With a lower id: the `next` of the page before.
    pub before: Option<DeliveryId>,
}

/// Some deliveries, the newest first.
///
/// A search reads a bounded part of the record. Where little of it fits the filter, a page is shorter than asked for,
/// even empty, and `next` tells where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// What [`DeliveryFilter::before`] has to be for those that come after these; `None` if there are none.
    pub next: Option<DeliveryId>,
}
