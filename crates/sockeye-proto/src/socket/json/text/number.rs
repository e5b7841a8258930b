//! Numbers. Which of JSON's is which of Rust's is as with `serde_json`.

use std::str::FromStr;

use serde::de::Visitor;
use serde_json::Number;

use super::{Decoded, Text, Unfit};
use crate::socket::json::scan::behind_number;

/// A number of more digits may not fit.
const SAFE_DIGITS: usize = 18;

/// Whether `serde_json` was built to keep numbers as texts (`arbitrary_precision`).
const KEEPS_TEXTS: bool = size_of::<Number>() > size_of::<(u64, u64)>();

impl<'de> Text<'de> {
    pub(super) fn visit_number<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        self.visit_number_of::<f64, V>(visitor)
    }

    /// For who wants no more than an `f32`: to round twice does not always give the same.
    pub(super) fn visit_short_number<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        self.visit_number_of::<f32, V>(visitor)
    }

    #[inline(always)]
    fn visit_number_of<F, V>(&mut self, visitor: V) -> Decoded<V::Value>
    where
        F: FromStr + Into<f64>,
        V: Visitor<'de>,
    {
        let is_negative = self.next() == Some(b'-');
        let digits = self.rest().get(usize::from(is_negative)..).unwrap_or_default();
        let (mut value, mut count) = (0_u64, 0);
        while let Some(digit @ b'0'..=b'9') = digits.get(count) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            count += 1;
        }
        let is_fraction = matches!(digits.get(count), Some(b'.' | b'e' | b'E'));
        if is_fraction || !(1..=SAFE_DIGITS).contains(&count) || is_negative && value == 0 {
            return self.visit_other_number::<F, V>(visitor);
        }
        self.at += usize::from(is_negative) + count;
        if is_negative { visitor.visit_i64(-(value as i64)) } else { visitor.visit_u64(value) }
    }

    /// A whole number that may not fit, minus zero, or one that is not whole.
    #[inline(never)]
    fn visit_other_number<F, V>(&mut self, visitor: V) -> Decoded<V::Value>
    where
        F: FromStr + Into<f64>,
        V: Visitor<'de>,
    {
        let end = behind_number(self.json.as_bytes(), self.at).map_err(|_| Unfit)?;
        let text = self.json.get(self.at..end).ok_or(Unfit)?;
        self.at = end;
        if let Ok(value) = text.parse() {
            return visitor.visit_u64(value);
        }
        if let Ok(value @ ..0) = text.parse() {
            return visitor.visit_i64(value);
        }
        let value: f64 = text.parse::<F>().map_err(|_| Unfit)?.into();
        if value.is_finite() && !KEEPS_TEXTS { visitor.visit_f64(value) } else { Err(Unfit) }
    }
}
