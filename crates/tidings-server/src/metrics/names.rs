//! Every metric's name, labels and meaning. `docs/operations.md` lists the same; a test compares the two.

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only rises, from 0 at the start of the process.
    Counter,
    /// It is what it is when it is read.
    Gauge,
}

/// One metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// As it is registered; a counter is shown with `_total` behind it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    /// What it counts, without a full stop.
    pub(crate) help: &'static str,
}

impl Metric {
    /// As it stands in the text that Prometheus reads.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge => self.name.to_owned(),
        }
    }
}

macro_rules! metrics {
    ($($const:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(pub(crate) const $const: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)+

        /// All of them, in the order in which they are shown.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($const),+];
    };
}

metrics! {
    BUILD_INFO = Gauge "tidings_build_info" ["version"] "The version of the server; always 1";
    AUTH_ACCEPTED = Counter "tidings_auth_accepted" ["caller"] "Requests to the bot that were let in";
    AUTH_REFUSED = Counter "tidings_auth_refused" ["reason"] "Requests to the bot that were not let in";
    HEADS_REFUSED = Counter "tidings_http_heads_refused" [] "Requests whose head was too large, answered 431";
    DELIVERIES = Gauge "tidings_deliveries" ["state"] "Deliveries in the database that have not ended";
    OLDEST = Gauge "tidings_deliveries_oldest_age_seconds" ["state"]
        "How long ago the oldest delivery in that state was put on record";
    LAG = Gauge "tidings_lanes_lag_seconds" []
        "How long a conversation in which something may be sent has been waiting for a node";
    ACCEPTED = Counter "tidings_deliveries_accepted" [] "Deliveries put on record";
    ENDED = Counter "tidings_deliveries_ended" ["state"] "Deliveries that ended";
    IN_FLIGHT = Gauge "tidings_deliveries_in_flight" [] "Deliveries that are being sent";
    CLAIMS = Counter "tidings_lanes_claimed" [] "Conversations claimed to send in them";
    ATTEMPTS = Counter "tidings_attempts" ["outcome"] "Attempts to deliver";
    WAITS = Counter "tidings_waits" ["reason"] "Times that something had to wait";
    BREAKERS = Gauge "tidings_breakers" ["host", "tenant", "state"]
        "Circuit breakers that are not closed; 1 for each";
    LEASE_LOSSES = Counter "tidings_lease_losses" []
        "Outcomes not recorded because another node had taken the conversation over";
    TAKEOVERS = Counter "tidings_lanes_taken_over" [] "Conversations taken over from nodes that ended without a word";
    CYCLES = Counter "tidings_dispatch_cycles" [] "Looks at what is ready to be sent";
    COMMITS = Counter "tidings_database_commits" [] "Durable commits";
    OPERATIONS = Counter "tidings_database_operations" [] "Operations that were committed; many may share a commit";
    FAILURES = Counter "tidings_database_failures" [] "Operations that failed, alone or with their commit";
    READS = Counter "tidings_database_reads" [] "Reads of the database";
}
