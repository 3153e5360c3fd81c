use std::collections::HashMap;
use std::{fmt, slice};

use crate::raw::Raw;

/// Marks the place of an unknown property in the order; known ones are their field's number.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// Up to this many unknown properties are searched one by one while decoding; above it an index is kept.
const SEARCHED: usize = 16;

/// The properties of an object that its struct has no field for, in the order in which they came.
///
/// Everything a channel sends beyond the fields of this crate is found here, untouched, and is written back at its
/// place. The order of the known properties is remembered here as well, and which of them were `null`, so that a
/// decoded object is encoded as the same JSON. Properties inserted into an object come last.
///
/// Looking up a property takes time linear in their number. Two `Extras` are equal when they hold equal properties,
/// in whatever order.
///
/// ```
/// use tidings_activity::{Activity, Raw};
///
/// let mut activity = Activity::from_slice(br#"{"mood":"sunny","type":"message"}"#)?;
/// assert_eq!(activity.extras.get("mood").and_then(Raw::as_str).as_deref(), Some("sunny"));
///
/// activity.extras.insert("wind", serde_json::json!(3));
/// assert_eq!(serde_json::to_string(&activity)?, r#"{"mood":"sunny","type":"message","wind":3}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Extras {
    /// One byte for each property that was decoded: the number of a known field, or [`UNKNOWN`].
    order: Vec<u8>,
    /// The known fields that were decoded, as bits.
    known: u64,
    /// The known fields that were `null`, as bits.
    nulls: u64,
    /// The unknown properties: those of `order` first, then those inserted.
    unknown: Vec<(Box<str>, Raw)>,
    /// Whether a caller inserted something, whose name might be that of a known field.
    inserted: bool,
}

impl Extras {
    /// The unknown property of this name. A property that has a field is not found here.
    pub fn get(&self, name: &str) -> Option<&Raw> {
        self.iter()
            .find_map(|(candidate, raw)| (candidate == name).then_some(raw))
    }

    /// Sets an unknown property and returns its former value. A new one is written after all others.
    ///
    /// A name for which the struct has a field is never written from here: set the field.
    pub fn insert(&mut self, name: impl Into<Box<str>>, value: impl Into<Raw>) -> Option<Raw> {
        let (name, value) = (name.into(), value.into());
        if let Some((_, slot)) = self.unknown.iter_mut().find(|(candidate, _)| *candidate == name) {
            return Some(std::mem::replace(slot, value));
        }
        self.inserted = true;
        self.unknown.push((name, value));
        None
    }

    /// Takes an unknown property out.
    pub fn remove(&mut self, name: &str) -> Option<Raw> {
        let index = self
            .unknown
            .iter()
            .position(|(candidate, _)| **candidate == *name)?;
        let place = self
            .order
            .iter()
            .enumerate()
            .filter(|&(_, &slot)| slot == UNKNOWN)
            .nth(index);
        if let Some((place, _)) = place {
            self.order.remove(place);
        }
        Some(self.unknown.remove(index).1)
    }

    /// The unknown properties, in order.
    pub fn iter(&self) -> ExtrasIter<'_> {
        ExtrasIter {
            inner: self.unknown.iter(),
        }
    }

    /// How many unknown properties there are.
    pub fn len(&self) -> usize {
        self.unknown.len()
    }

    /// Whether there are no unknown properties.
    pub fn is_empty(&self) -> bool {
        self.unknown.is_empty()
    }

    pub(crate) fn order(&self) -> &[u8] {
        &self.order
    }

    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    pub(crate) fn was_null(&self, field: u8) -> bool {
        self.nulls & bit(field) != 0
    }

    /// The unknown properties, without those that a caller inserted under the name of a field.
    pub(crate) fn unknown_for_encoding(
        &self,
        is_field: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, &Raw)> {
        self.iter()
            .filter(move |(name, _)| !(self.inserted && is_field(name)))
    }
}

impl PartialEq for Extras {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // Nearly always the order is the same too.
        if self.iter().zip(other).all(|(ours, theirs)| ours.0 == theirs.0) {
            return self.iter().zip(other).all(|(ours, theirs)| ours.1 == theirs.1);
        }
        let theirs: HashMap<_, _> = other.iter().collect();
        self.iter()
            .all(|(name, raw)| theirs.get(name).is_some_and(|theirs| *theirs == raw))
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Extras {
    type Item = (&'a str, &'a Raw);
    type IntoIter = ExtrasIter<'a>;

    fn into_iter(self) -> ExtrasIter<'a> {
        self.iter()
    }
}

/// Iterates over [`Extras`]: made by [`Extras::iter`].
#[derive(Clone, Debug)]
pub struct ExtrasIter<'a> {
    inner: slice::Iter<'a, (Box<str>, Raw)>,
}

impl<'a> Iterator for ExtrasIter<'a> {
    type Item = (&'a str, &'a Raw);

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next().map(|(name, raw)| (&**name, raw))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl ExactSizeIterator for ExtrasIter<'_> {}

/// Collects what an object's `extras` must remember while it is decoded.
///
/// Of duplicate keys the last value wins, at the place of the first. The work is linear in the number of keys,
/// however many of them are unknown or alike.
pub(crate) struct Slots {
    extras: Extras,
    index: HashMap<Box<str>, usize>,
}

impl Slots {
    /// Known fields are numbered in the bits of a word.
    pub(crate) const MAX_KNOWN: usize = u64::BITS as usize;

    pub(crate) fn with_capacity(known_fields: usize) -> Self {
        let extras = Extras {
            order: Vec::with_capacity(known_fields),
            ..Extras::default()
        };
        Self {
            extras,
            index: HashMap::new(),
        }
    }

    pub(crate) fn has(&self, field: u8) -> bool {
        self.extras.known & bit(field) != 0
    }

    pub(crate) fn known(&mut self, field: u8, null: bool) {
        if !self.has(field) {
            self.extras.known |= bit(field);
            self.extras.order.push(field);
        }
        if null {
            self.extras.nulls |= bit(field);
        } else {
            self.extras.nulls &= !bit(field);
        }
    }

    pub(crate) fn unknown(&mut self, name: Box<str>, raw: Raw) {
        if let Some(index) = self.find(&name) {
            self.extras.unknown[index].1 = raw;
            return;
        }
        let index = self.extras.unknown.len();
        if index == SEARCHED {
            let names = self.extras.unknown.iter().enumerate();
            self.index = names.map(|(index, (name, _))| (name.clone(), index)).collect();
        }
        if index >= SEARCHED {
            self.index.insert(name.clone(), index);
        }
        self.extras.order.push(UNKNOWN);
        self.extras.unknown.push((name, raw));
    }

    fn find(&self, name: &str) -> Option<usize> {
        if self.extras.unknown.len() <= SEARCHED {
            self.extras
                .unknown
                .iter()
                .position(|(candidate, _)| **candidate == *name)
        } else {
            self.index.get(name).copied()
        }
    }

    pub(crate) fn finish(self) -> Extras {
        self.extras
    }
}

fn bit(field: u8) -> u64 {
    1 << field
}
