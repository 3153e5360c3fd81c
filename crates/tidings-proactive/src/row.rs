//! Columns as the tables hold them.

use jiff::Timestamp;
use tidings_store::{Row, StoreError};

use crate::state::DeliveryState;

/// A column of Unix microseconds.
pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(row.get(column)?).map_err(StoreError::other)
}

/// A column of Unix microseconds or NULL.
pub(crate) fn optional_timestamp(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = row.get(column)?;
    micros
        .map(Timestamp::from_microsecond)
        .transpose()
        .map_err(StoreError::other)
}

/// A column that holds the state of a delivery, or NULL where there is no delivery.
pub(crate) fn state(row: &Row<'_>, column: usize) -> Result<Option<DeliveryState>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| {
        DeliveryState::from_row(&text)
            .ok_or_else(|| StoreError::message(format!("no delivery state is called '{text}'")))
    })
    .transpose()
}
