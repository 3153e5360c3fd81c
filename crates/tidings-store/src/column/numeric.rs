//! PostgreSQL's `numeric`, which is what `sum` of a BIGINT gives: groups of four decimal digits.

use std::error::Error;

use bytes::{BufMut, BytesMut};

use super::ColumnRef;

const GROUP: i128 = 10_000;
const NEGATIVE: u16 = 0x4000;
const POSITIVE: u16 = 0x0000;

/// Writes a whole number.
pub(super) fn put(number: i64, out: &mut BytesMut) {
    let mut groups = Vec::new();
    let mut rest = i128::from(number).abs();
    while rest > 0 {
        groups.push((rest % GROUP) as u16);
        rest /= GROUP;
    }
    // At most five groups.
    out.put_u16(groups.len() as u16);
    out.put_i16(groups.len() as i16 - 1);
    out.put_u16(if number < 0 { NEGATIVE } else { POSITIVE });
    out.put_u16(0);
    for group in groups.iter().rev() {
        out.put_u16(*group);
    }
}

/// Reads a number: without decimal places (`sum` of whole numbers) as a whole one, with some (`avg`) as floating.
pub(super) fn read<'a>(raw: &[u8]) -> Result<ColumnRef<'a>, Box<dyn Error + Send + Sync>> {
    let mut words = raw
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut next = || words.next().ok_or("a numeric was cut short");
    let (count, weight, sign, places) = (next()?, next()? as i16, next()?, next()?);
    let sign = match sign {
        POSITIVE => 1,
        NEGATIVE => -1,
        _ => return Err("a numeric is not finite".into()),
    };
    let groups = (0..count).map(|_| next()).collect::<Result<Vec<_>, _>>()?;
    if places > 0 {
        let value = (0_i32..)
            .zip(groups)
            .map(|(index, group)| f64::from(group) * 10_000_f64.powi(i32::from(weight) - index));
        return Ok(ColumnRef::Real(f64::from(sign) * value.sum::<f64>()));
    }
    // Groups of zeros at the end are left out.
    let width = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if width > 9 {
        return Err("a numeric does not fit into 64 bits".into());
    }
    let digits = groups.into_iter().chain(std::iter::repeat(0)).take(width);
    let value = digits.fold(0_i128, |value, group| value * GROUP + i128::from(group));
    Ok(ColumnRef::Integer(i64::try_from(value * i128::from(sign))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_back() {
        for number in [
            0,
            1,
            -1,
            9_999,
            10_000,
            -10_000,
            100_000_000,
            123_456_789_012,
            i64::MAX,
            i64::MIN,
        ] {
            let mut out = BytesMut::new();
            put(number, &mut out);
            assert_eq!(read(&out).unwrap(), ColumnRef::Integer(number));
        }
    }

    #[test]
    fn what_is_no_number_of_64_bits_is_an_error() {
        // 10^36, NaN, and too few bytes.
        for words in [&[1, 9, 0, 0, 1][..], &[0, 0, 0xC000, 0], &[2, 0, 0, 0, 1], &[]] {
            let raw: Vec<u8> = words.iter().flat_map(|word: &u16| word.to_be_bytes()).collect();
            assert!(read(&raw).is_err(), "{words:?}");
        }
    }

    #[test]
    fn decimal_places_make_a_floating_number() {
        // 12345.5
        let raw: Vec<u8> = [3_u16, 1, 0, 1, 1, 2345, 5000]
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect();
        assert_eq!(read(&raw).unwrap(), ColumnRef::Real(12_345.5));
    }
}
