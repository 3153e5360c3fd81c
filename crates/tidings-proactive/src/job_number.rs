//! The number by which people name a job.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of a job: positive, unique in the database, below 2^53, short enough to type.
///
/// Reads from text (`"17"`) and from JSON, where both `17` and `"17"` are accepted because senders of
/// completion events use either.
///
/// ```
/// use tidings_proactive::JobNumber;
///
/// let number: JobNumber = "17".parse()?;
/// assert_eq!(number.to_string(), "17");
/// assert_eq!(serde_json::from_str::<JobNumber>("\"17\"").unwrap(), number);
/// # Ok::<(), tidings_proactive::JobNumberError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobNumber(u64);

/// Why something is not the number of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobNumberError {
    /// Not a whole number in decimal digits.
    #[error("a job number is a whole number in decimal digits")]
    NotANumber,
    /// A whole number, but no job can have it.
    #[error("a job number lies between 1 and {}", JobNumber::MAX.0)]
    OutOfRange,
}

impl JobNumber {
    /// The largest number a job can have, 2^53 - 1: the last integer JavaScript holds exactly.
    pub const MAX: JobNumber = JobNumber((1 << 53) - 1);

    /// The job number with this value, or `None` if it is 0 or above [`JobNumber::MAX`].
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    /// The number as an integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// As the database holds it; below 2^53, so nothing is lost.
    pub(crate) fn to_row(self) -> i64 {
        self.0.cast_signed()
    }

    /// From a column that the table's CHECK keeps in range.
    pub(crate) fn from_row(value: i64) -> Self {
        Self(value.cast_unsigned())
    }
}

impl fmt::Display for JobNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobNumber {
    type Err = JobNumberError;

    fn from_str(text: &str) -> Result<Self, JobNumberError> {
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(JobNumberError::NotANumber);
        }
        // Only digits, so a failure to parse is a sign or an overflow.
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or(JobNumberError::OutOfRange)
    }
}

impl Serialize for JobNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for JobNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JobNumberVisitor)
    }
}

struct JobNumberVisitor;

impl Visitor<'_> for JobNumberVisitor {
    type Value = JobNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a job number, as a number or a string of digits")
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<JobNumber, E> {
        JobNumber::new(value).ok_or_else(|| E::custom(JobNumberError::OutOfRange))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<JobNumber, E> {
        u64::try_from(value)
            .map_err(|_| E::custom(JobNumberError::OutOfRange))
            .and_then(|value| self.visit_u64(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<JobNumber, E> {
        // Some encoders write 17 as 17.0. Below 2^53 the conversion back is exact.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "only integers between 1 and 2^53 - 1 are converted"
        )]
        if value.fract() == 0.0 && value >= 1.0 && value <= JobNumber::MAX.0 as f64 {
            return Ok(JobNumber(value as u64));
        }
        Err(E::custom(JobNumberError::OutOfRange))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<JobNumber, E> {
        value.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_at_the_limits() {
        assert_eq!("1".parse(), Ok(JobNumber(1)));
        assert_eq!(" 0042 ".parse(), Ok(JobNumber(42)));
        assert_eq!("9007199254740991".parse(), Ok(JobNumber::MAX));
        for out_of_range in ["0", "-1", "9007199254740992", "99999999999999999999999999"] {
            assert_eq!(
                out_of_range.parse::<JobNumber>(),
                Err(JobNumberError::OutOfRange),
                "{out_of_range}"
            );
        }
        for no_number in ["", " ", "-", "abc", "1.5", "+1", "1 2", "١", "0x1"] {
            assert_eq!(
                no_number.parse::<JobNumber>(),
                Err(JobNumberError::NotANumber),
                "{no_number}"
            );
        }
    }

    #[test]
    fn json_is_a_number_or_a_string_of_digits() {
        for json in ["7", "\"7\"", "7.0", "7e0", "\" 7 \""] {
            assert_eq!(
                serde_json::from_str::<JobNumber>(json).ok(),
                Some(JobNumber(7)),
                "{json}"
            );
        }
        for json in [
            "0",
            "-7",
            "7.5",
            "1e300",
            "9007199254740992",
            "true",
            "null",
            "{}",
            "[7]",
            "\"seven\"",
        ] {
            assert!(serde_json::from_str::<JobNumber>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&JobNumber(7)).unwrap(), "7");
    }
}
