//! Columns as PostgreSQL sends and takes them: each by the type that the statement gives it.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::{ColumnRef, numeric};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TEXTS: [Type; 6] = [
    Type::TEXT,
    Type::VARCHAR,
    Type::BPCHAR,
    Type::NAME,
    Type::UNKNOWN,
    Type::JSON,
];

impl ToSql for ColumnRef<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Fallible<IsNull> {
        match *self {
            ColumnRef::Null => return Ok(IsNull::Yes),
            ColumnRef::Integer(number) => put_number(number, ty, out)?,
            ColumnRef::Bool(truth) if *ty == Type::BOOL => out.put_u8(u8::from(truth)),
            ColumnRef::Bool(truth) => put_number(i64::from(truth), ty, out)?,
            ColumnRef::Real(number) if *ty == Type::FLOAT8 => out.put_f64(number),
            ColumnRef::Real(number) if *ty == Type::FLOAT4 => out.put_f32(number as f32),
            ColumnRef::Text(text) if text.contains('\0') => {
                return Err("PostgreSQL keeps no text with a NUL character".into());
            }
            ColumnRef::Text(text) if TEXTS.contains(ty) => out.put_slice(text.as_bytes()),
            ColumnRef::Blob(bytes) if *ty == Type::BYTEA => out.put_slice(bytes),
            ColumnRef::List(values) if matches!(ty.kind(), Kind::Array(_)) => return values.to_sql(ty, out),
            ColumnRef::Real(_) | ColumnRef::Text(_) | ColumnRef::Blob(_) | ColumnRef::List(_) => {
                return Err(mismatch(self, ty));
            }
        }
        Ok(IsNull::No)
    }

    // Which values fit which types is decided above, where the value is known.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn put_number(number: i64, ty: &Type, out: &mut BytesMut) -> Fallible<()> {
    match *ty {
        Type::INT8 => out.put_i64(number),
        Type::INT4 => out.put_i32(number.try_into()?),
        Type::INT2 => out.put_i16(number.try_into()?),
        Type::NUMERIC => numeric::put(number, out),
        Type::FLOAT8 => out.put_f64(number as f64),
        // As SQLite has it, where a truth is 0 or 1.
        Type::BOOL if number == 0 || number == 1 => out.put_u8(number as u8),
        _ => return Err(mismatch(&ColumnRef::Integer(number), ty)),
    }
    Ok(())
}

fn mismatch(value: &ColumnRef<'_>, ty: &Type) -> Box<dyn Error + Send + Sync> {
    let what = match value {
        ColumnRef::Null => "NULL",
        ColumnRef::Integer(_) => "a whole number",
        ColumnRef::Bool(_) => "a truth",
        ColumnRef::Real(_) => "a floating point number",
        ColumnRef::Text(_) => "a text",
        ColumnRef::Blob(_) => "bytes",
        ColumnRef::List(_) => "a list",
    };
    format!("{what} cannot be bound where the statement has the type {ty}: write a CAST around the parameter")
        .into()
}

impl<'a> FromSql<'a> for ColumnRef<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Fallible<ColumnRef<'a>> {
        Ok(match *ty {
            Type::INT8 => ColumnRef::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => ColumnRef::Integer(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => ColumnRef::Integer(i16::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => ColumnRef::Bool(raw.first() == Some(&1)),
            Type::FLOAT8 => ColumnRef::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::FLOAT4 => ColumnRef::Real(f32::from_be_bytes(raw.try_into()?).into()),
            Type::BYTEA => ColumnRef::Blob(raw),
            Type::NUMERIC => numeric::read(raw)?,
            // `SELECT NULL`, `pg_notify` and their like.
            Type::VOID => ColumnRef::Null,
            _ => ColumnRef::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Fallible<ColumnRef<'a>> {
        Ok(ColumnRef::Null)
    }

    fn accepts(ty: &Type) -> bool {
        TEXTS.contains(ty)
            || matches!(
                *ty,
                Type::INT8
                    | Type::INT4
                    | Type::INT2
                    | Type::BOOL
                    | Type::FLOAT8
                    | Type::FLOAT4
                    | Type::BYTEA
                    | Type::NUMERIC
                    | Type::VOID
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: ColumnRef<'_>, ty: &Type) -> Fallible<Vec<u8>> {
        let mut out = BytesMut::new();
        value.to_sql(ty, &mut out)?;
        Ok(out.to_vec())
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        for (value, ty) in [
            (ColumnRef::Integer(i64::MIN), Type::INT8),
            (ColumnRef::Integer(i32::MAX.into()), Type::INT4),
            (ColumnRef::Integer(i16::MIN.into()), Type::INT2),
            (ColumnRef::Bool(true), Type::BOOL),
            (ColumnRef::Bool(false), Type::BOOL),
            (ColumnRef::Real(-0.5), Type::FLOAT8),
            (ColumnRef::Real(0.25), Type::FLOAT4),
            (ColumnRef::Text("né"), Type::VARCHAR),
            (ColumnRef::Blob(&[0, 255]), Type::BYTEA),
        ] {
            let bytes = sent(value, &ty).unwrap();
            assert_eq!(ColumnRef::from_sql(&ty, &bytes).unwrap(), value, "{ty}");
        }
    }

    #[test]
    fn a_value_goes_only_where_it_fits() {
        for (value, ty) in [
            (ColumnRef::Integer(1 << 31), Type::INT4),
            (ColumnRef::Integer(1 << 15), Type::INT2),
            (ColumnRef::Integer(2), Type::BOOL),
            (ColumnRef::Integer(1), Type::TEXT),
            (ColumnRef::Text("1"), Type::INT8),
            (ColumnRef::Text("a\0b"), Type::TEXT),
            (ColumnRef::Text("{}"), Type::JSONB),
            (ColumnRef::Blob(&[1]), Type::TEXT),
            (ColumnRef::Real(1.0), Type::INT8),
            (ColumnRef::Bool(true), Type::TEXT),
        ] {
            assert!(sent(value, &ty).is_err(), "{value:?} as {ty}");
        }
        let text = sent(ColumnRef::Integer(1), &Type::TEXT).unwrap_err().to_string();
        assert!(text.contains("CAST") && text.contains("text"), "{text}");
    }

    #[test]
    fn truths_and_numbers_meet_as_in_sqlite() {
        assert_eq!(sent(ColumnRef::Integer(1), &Type::BOOL).unwrap(), [1]);
        assert_eq!(sent(ColumnRef::Bool(true), &Type::INT4).unwrap(), [0, 0, 0, 1]);
    }
}
