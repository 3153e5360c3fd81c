use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::StoreError;

mod list;
mod numeric;
mod postgres;

pub use list::List;

/// A value in a column, borrowed from a row or from a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ColumnRef<'a> {
    /// SQL's NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// True or false; SQLite keeps 1 or 0.
    Bool(bool),
    /// A floating point number.
    Real(f64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// Many values for one parameter, which only PostgreSQL takes: see [`List`].
    List(&'a [ColumnRef<'a>]),
}

impl<'a> ColumnRef<'a> {
    pub(crate) fn from_sqlite(value: ValueRef<'a>) -> Result<ColumnRef<'a>, StoreError> {
        Ok(match value {
            ValueRef::Null => ColumnRef::Null,
            ValueRef::Integer(number) => ColumnRef::Integer(number),
            ValueRef::Real(number) => ColumnRef::Real(number),
            ValueRef::Text(text) => ColumnRef::Text(std::str::from_utf8(text).map_err(StoreError::other)?),
            ValueRef::Blob(bytes) => ColumnRef::Blob(bytes),
        })
    }

    /// What both engines can keep.
    pub(crate) fn of_param(param: &'a dyn ToColumn) -> Result<ColumnRef<'a>, StoreError> {
        let column = param.to_column();
        match column.has_nul() {
            true => Err(StoreError::NulCharacter),
            false => Ok(column),
        }
    }

    fn has_nul(&self) -> bool {
        match self {
            ColumnRef::Text(text) => text.contains('\0'),
            ColumnRef::List(values) => values.iter().any(ColumnRef::has_nul),
            _ => false,
        }
    }
}

impl rusqlite::ToSql for ColumnRef<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            ColumnRef::Null => ValueRef::Null,
            ColumnRef::Integer(number) => ValueRef::Integer(number),
            ColumnRef::Bool(truth) => ValueRef::Integer(i64::from(truth)),
            ColumnRef::Real(number) => ValueRef::Real(number),
            ColumnRef::Text(text) => ValueRef::Text(text.as_bytes()),
            ColumnRef::Blob(bytes) => ValueRef::Blob(bytes),
            ColumnRef::List(_) => {
                let reason = "SQLite takes one value for a parameter: run the statement once for each";
                return Err(rusqlite::Error::ToSqlConversionFailure(reason.into()));
            }
        }))
    }
}

/// What can be bound to a parameter of a statement: see [`params!`](crate::params).
pub trait ToColumn {
    /// The value as the database keeps it.
    fn to_column(&self) -> ColumnRef<'_>;
}

/// What can be read from a column of a row.
pub trait FromColumn: Sized {
    /// The value, if the column holds one of this type. A number that does not fit is none.
    fn from_column(column: ColumnRef<'_>) -> Option<Self>;
}

/// The parameters of a statement, in the order of their numbers.
///
/// ```
/// let (id, name) = (7_i64, "Ana");
/// assert_eq!(tidings_store::params![id, name].len(), 2);
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::ToColumn),*] as &[&dyn $crate::ToColumn] };
}

macro_rules! whole_numbers {
    ($($number:ty),*) => { $(
        impl ToColumn for $number {
            fn to_column(&self) -> ColumnRef<'_> {
                ColumnRef::Integer(i64::from(*self))
            }
        }

        impl FromColumn for $number {
            fn from_column(column: ColumnRef<'_>) -> Option<Self> {
                match column {
                    ColumnRef::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )* };
}

whole_numbers!(i64, i32, u32, u16, u8);

impl ToColumn for bool {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Bool(*self)
    }
}

impl FromColumn for bool {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Bool(truth) => Some(truth),
            ColumnRef::Integer(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl ToColumn for f64 {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Real(*self)
    }
}

impl FromColumn for f64 {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Real(number) => Some(number),
            _ => None,
        }
    }
}

impl ToColumn for str {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Text(self)
    }
}

impl ToColumn for String {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Text(self)
    }
}

impl FromColumn for String {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl ToColumn for [u8] {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Blob(self)
    }
}

impl<const N: usize> ToColumn for [u8; N] {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Blob(self)
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl ToColumn for Vec<u8> {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::Blob(self)
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<T: ToColumn + ?Sized> ToColumn for &T {
    fn to_column(&self) -> ColumnRef<'_> {
        (**self).to_column()
    }
}

impl<T: ToColumn> ToColumn for Option<T> {
    fn to_column(&self) -> ColumnRef<'_> {
        self.as_ref().map_or(ColumnRef::Null, T::to_column)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: ColumnRef<'_>) -> Option<Self> {
        match column {
            ColumnRef::Null => Some(None),
            column => T::from_column(column).map(Some),
        }
    }
}
