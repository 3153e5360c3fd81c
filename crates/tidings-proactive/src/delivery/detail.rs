use crate::delivery::{Attempt, Delivery, Wait};

/// One delivery with everything that is on record about it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeliveryDetail {
    /// The delivery.
    pub delivery: Delivery,
    /// What is owed, whole.
    pub body: Body,
    /// The newest attempts, at most 1,000, in their order. The last one of a delivery that is delivered or being sent is
    /// the one that did or does it.
    pub attempts: Vec<Attempt>,
    /// The newest waits, at most 1,000, in their order.
    pub waits: Vec<Wait>,
}

/// What is owed, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// The activity.
    Activity(String),
    /// The handler's payload.
    Payload(Option<String>),
}
