//! What must hold after any run, judged by the channel's journal.
//!
//! - What was accepted is on record once, has ended, and ended as it was asked to.
//! - A delivered message was accepted by the channel, in a POST whose answer names the id on record.
//! - A message is posted again only where its last attempt did not say what became of it, or a process died or stood
//!   still in between; if the user may have it twice, the record says so.
//! - What is to be sent at most once is not posted again unless the channel said that it did not take it.
//! - In a conversation and a class, messages arrive in the order in which they were accepted, one at a time; but for what
//!   a process posts that stood still between its last look at the lease and the socket, when another has ended it
//!   meanwhile as unknown. Nothing on this side of the channel can keep that back.
//! - Nothing is posted before its time, after its end, or without having been owed.

mod story;

use std::collections::BTreeMap;

use crate::journal::{Post, Reply};
use crate::killer::Outage;
use crate::ledger::Delivery;
use crate::owed::Owed;
use crate::run::Evidence;

/// A delivery that was being sent when a process died so often is not tried again.
const POISON: usize = 3;

/// Everything that does not add up, a sentence each.
pub(crate) fn violations(evidence: &Evidence) -> Vec<String> {
    let files = Files::new(evidence);
    let mut found = evidence.complaints.clone();
    files.strangers(&mut found);
    files.order(&mut found);
    files.one_at_a_time(&mut found);
    for owed in &evidence.owed {
        let case = Case {
            files: &files,
            owed,
            posts: files.posts_of(&owed.text),
        };
        case.times(&mut found);
        case.repeats(&mut found);
        case.record(&mut found);
    }
    found
}

/// What happened, in a line.
pub(crate) fn summary(evidence: &Evidence) -> String {
    let files = Files::new(evidence);
    let seen_again = |posts: &&Vec<&Post>| posts.iter().filter(|post| post.reply.accepts()).count() > 1;
    let repeats = files.posts.values().filter(seen_again).count();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for delivery in &evidence.deliveries {
        *states.entry(&delivery.state).or_default() += 1;
    }
    format!(
        "{} outages, {} messages owed, {} POSTs, {repeats} seen more than once, {states:?}",
        evidence.outages.len(),
        evidence.owed.len(),
        evidence.posts.len(),
    )
}

/// The evidence by what it is about.
struct Files<'a> {
    evidence: &'a Evidence,
    posts: BTreeMap<&'a str, Vec<&'a Post>>,
    records: BTreeMap<&'a str, Vec<&'a Delivery>>,
}

/// One message.
struct Case<'a> {
    files: &'a Files<'a>,
    owed: &'a Owed,
    posts: &'a [&'a Post],
}

impl<'a> Files<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut posts: BTreeMap<&str, Vec<&Post>> = BTreeMap::new();
        for post in &evidence.posts {
            if let Some(text) = &post.text {
                posts.entry(text).or_default().push(post);
            }
        }
        let mut records: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
        for delivery in &evidence.deliveries {
            let text = delivery.content.text.as_deref().unwrap_or_default();
            records.entry(text).or_default().push(delivery);
        }
        Self {
            evidence,
            posts,
            records,
        }
    }

    fn posts_of(&self, text: &str) -> &[&'a Post] {
        self.posts.get(text).map_or(&[], Vec::as_slice)
    }

    /// Whether a process died or stood still between two moments.
    fn outage(&self, mut is: impl FnMut(&Outage) -> bool) -> bool {
        self.evidence.outages.iter().any(&mut is)
    }

    /// What nobody owes is neither on record nor posted, and no id is given out twice.
    fn strangers(&self, found: &mut Vec<String>) {
        let mut owed: BTreeMap<&str, &Owed> = BTreeMap::new();
        for message in &self.evidence.owed {
            if owed.insert(&message.text, message).is_some() {
                found.push(format!("`{}` was accepted as two messages", message.text));
            }
        }
        for (text, posts) in &self.posts {
            match owed.get(text) {
                None => found.push(format!("`{text}` was posted and nobody owed it")),
                Some(message) if posts.iter().any(|post| post.conversation != message.conversation) => {
                    found.push(format!("`{text}` was posted to another conversation"));
                }
                Some(_) => {}
            }
        }
        let mut ids = BTreeMap::new();
        for delivery in &self.evidence.deliveries {
            let text = delivery.content.text.as_deref().unwrap_or_default();
            if !owed.contains_key(text) {
                found.push(format!(
                    "delivery {} says `{text}`, which nobody owes",
                    delivery.id
                ));
            }
            if let Some(other) = ids.insert(delivery.id, text) {
                found.push(format!("id {} has both `{other}` and `{text}`", delivery.id));
            }
        }
    }

    /// Within a conversation and a class, messages are first seen in the order in which they were accepted.
    fn order(&self, found: &mut Vec<String>) {
        let mut lanes: BTreeMap<(&str, &str), Vec<&Owed>> = BTreeMap::new();
        for owed in self.evidence.owed.iter().filter(|owed| owed.place.is_some()) {
            lanes
                .entry((&owed.conversation, owed.class))
                .or_default()
                .push(owed);
        }
        for ((conversation, class), mut lane) in lanes {
            lane.sort_by_key(|owed| owed.place);
            let mut last: Option<(&Owed, &Post)> = None;
            for owed in lane {
                let seen = self.posts_of(&owed.text).iter().find(|post| post.reply.accepts());
                let Some(seen) = seen.filter(|seen| !self.came_after_its_end(owed, seen)) else {
                    continue;
                };
                if let Some((before, earlier)) = last
                    && earlier.place > seen.place
                {
                    found.push(format!(
                        "{conversation}, {class}: `{}` came after `{}`, which was accepted later",
                        before.text, owed.text
                    ));
                }
                last = Some((owed, seen));
            }
        }
    }

    /// Whether a message that nobody knows about was posted when its time on record was over; whether that is explained
    /// is judged with its record.
    fn came_after_its_end(&self, owed: &Owed, seen: &Post) -> bool {
        let records = self.records.get(owed.text.as_str()).into_iter().flatten();
        let mut unknown = records.filter(|delivery| delivery.state == "unknown");
        unknown.any(|delivery| delivery.ended_at.is_some_and(|ended_at| seen.at > ended_at))
    }

    /// No two POSTs to a conversation are under way at once, but for those of a process that died.
    fn one_at_a_time(&self, found: &mut Vec<String>) {
        let mut last: BTreeMap<&str, &Post> = BTreeMap::new();
        for post in &self.evidence.posts {
            if let Some(before) = last.insert(&post.conversation, post)
                && before.answered_at.is_none_or(|answered| answered > post.at)
                // Its client gave up.
                && !matches!(before.reply, Reply::AcceptTooLate(_))
                && !self.outage(|outage| outage.is_between(before.at, post.at))
            {
                found.push(format!(
                    "{}: {:?} was posted while {:?} was on its way",
                    post.conversation, post.text, before.text
                ));
            }
        }
    }
}

impl Case<'_> {
    fn was_seen(&self) -> bool {
        self.posts.iter().any(|post| post.reply.accepts())
    }

    /// Nothing is posted before its time.
    fn times(&self, found: &mut Vec<String>) {
        if let Some(not_before) = self.owed.not_before
            && self.posts.iter().any(|post| post.at < not_before)
        {
            found.push(format!("`{}` was posted before its time", self.owed.text));
        }
    }

    /// It is posted again only where nobody knows what became of it, or where the channel did not take it.
    fn repeats(&self, found: &mut Vec<String>) {
        for pair in self.posts.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let refused = before.reply == Reply::Throttle;
            let is_unknown =
                !before.reply.tells() || self.files.outage(|outage| outage.is_between(before.at, after.at));
            if self.owed.at_most_once && !refused {
                found.push(format!(
                    "`{}` is to be sent at most once and was posted again after {:?}",
                    self.owed.text, before.reply
                ));
            } else if !refused && !is_unknown {
                found.push(format!(
                    "`{}` was posted again after {:?}, and no process died in between",
                    self.owed.text, before.reply
                ));
            }
        }
    }

    /// What is on record is what happened.
    fn record(&self, found: &mut Vec<String>) {
        let text = self.owed.text.as_str();
        let records = self.files.records.get(text).map_or(&[][..], Vec::as_slice);
        let delivery = match records {
            [delivery] => delivery,
            [] if self.owed.doubtful => return,
            _ => return found.push(format!("`{text}` is on record {} times", records.len())),
        };
        let mut wrong = |what: &str| found.push(format!("`{text}`, delivery {}: {what}", delivery.id));
        if self.owed.id.is_some_and(|id| id != delivery.id) {
            wrong("its caller was told another id");
        }
        if delivery.conversation_id != self.owed.conversation {
            wrong("it is on record for another conversation");
        }
        if (delivery.starts as usize) < self.posts.len() {
            wrong("it was posted more often than it was started");
        }
        if !delivery.attempts.is_empty() && delivery.attempts.len() as u64 != delivery.starts {
            wrong("its attempts are not as many as its starts");
        }
        let times_seen = self.posts.iter().filter(|post| post.reply.accepts()).count();
        if times_seen > 1 && !delivery.repeat_possible {
            wrong("it was seen more than once, and the record does not say so");
        }
        if delivery.repeat_possible && !self.is_doubtful(delivery) {
            wrong("it is said to be a possible repeat, and each attempt told what became of it");
        }
        if self.owed.cancelled != (delivery.state == "cancelled") {
            wrong(&format!("it is {}", delivery.state));
        }
        if let Some(problem) = self.end(delivery) {
            wrong(&problem);
        }
        if let Some(ended_at) = delivery.ended_at
            && let Some(late) = self.posts.iter().find(|post| post.at > ended_at)
            && !self.files.outage(|outage| outage.is_between(ended_at, late.at))
        {
            wrong("it was posted after it had ended");
        }
    }

    /// Whether something happened in its life after which nobody knew.
    fn is_doubtful(&self, delivery: &Delivery) -> bool {
        let ended_at = delivery.ended_at.unwrap_or(jiff::Timestamp::MAX);
        let unread = self.files.evidence.posts.iter().any(|post| {
            post.text.is_none()
                && post.conversation == self.owed.conversation
                && (delivery.created_at..=ended_at).contains(&post.at)
        });
        unread
            || self.posts.iter().any(|post| !post.reply.tells())
            || self
                .files
                .outage(|outage| outage.is_between(delivery.created_at, ended_at))
    }

    /// What is wrong with how it ended.
    fn end(&self, delivery: &Delivery) -> Option<String> {
        let state = delivery.state.as_str();
        let told = |post: &&&Post| {
            post.reply.accepts()
                && post.reply.tells()
                && delivery.activity_id.as_deref() == Some(&post.activity_id)
        };
        let lost = delivery
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == "lost");
        let is_explained = match (state, delivery.reason.as_deref()) {
            ("delivered", _) => self.posts.iter().any(|post| told(&post)),
            ("cancelled", _) => self.posts.is_empty(),
            ("dead", Some("poison")) => lost.count() >= POISON && self.is_doubtful(delivery),
            ("expired", _) => self.is_expired(delivery) && (!self.was_seen() || delivery.repeat_possible),
            ("unknown", _) => {
                (self.owed.at_most_once || self.is_expired(delivery)) && self.is_doubtful(delivery)
            }
            _ => false,
        };
        (!is_explained).then(|| {
            let replies: Vec<Reply> = self.posts.iter().map(|post| post.reply).collect();
            let outcomes: Vec<&str> = delivery
                .attempts
                .iter()
                .map(|attempt| attempt.outcome.as_str())
                .collect();
            format!(
                "it is {state} ({:?}) as {:?}; the channel answered {replies:?}, the attempts say {outcomes:?}",
                delivery.reason, delivery.activity_id
            )
        })
    }

    fn is_expired(&self, delivery: &Delivery) -> bool {
        match (self.owed.expires_at, delivery.ended_at) {
            (Some(expires_at), Some(ended_at)) => ended_at >= expires_at,
            _ => false,
        }
    }
}
