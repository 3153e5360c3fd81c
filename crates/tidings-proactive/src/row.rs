//! Columns as the tables hold them.

use jiff::Timestamp;
use tidings_store::rusqlite::types::{Type, ValueRef};
use tidings_store::rusqlite::{self, Row};

use crate::delivery::DeliveryState;

/// A column of Unix microseconds.
pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    Timestamp::from_microsecond(micros)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}

/// A column of Unix microseconds or NULL.
pub(crate) fn optional_timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => timestamp(row, column).map(Some),
    }
}

/// A column that holds the state of a delivery, or NULL where there is no delivery.
pub(crate) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DeliveryState>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| {
        DeliveryState::from_row(&text).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                Type::Text,
                format!("no delivery state is called '{text}'").into(),
            )
        })
    })
    .transpose()
}
