use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// A way to write a body in fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// With the frame of zlib, as HTTP's `deflate` has it.
    Deflate,
    Brotli,
}

/// Parts in a thousand, as precise as weights can be.
type Weight = u16;

const FULL: Weight = 1000;

impl Coding {
    /// What is written as `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    /// The coding that the client likes best; of those that it likes alike, the first in `ours`.
    /// `None` if it takes none of them, or says that it would rather have the body as it is.
    pub(crate) fn negotiate(request: &HeaderMap, ours: &[Self]) -> Option<Self> {
        let accepted: Vec<&str> = request
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .collect();
        if accepted.is_empty() {
            return None;
        }
        let weight_of = |name| accepted.iter().find_map(|item| weight_if(item, name));
        let others = weight_of("*").unwrap_or(0);
        let mut best = (weight_of("identity").unwrap_or(1).max(1), None);
        for coding in ours.iter().rev() {
            let weight = weight_of(coding.name()).unwrap_or(others);
            if weight >= best.0 {
                best = (weight, Some(*coding));
            }
        }
        best.1
    }

    pub(crate) const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// The weight in an item of the list such as `gzip;q=0.5`, if it is about this coding. One that
/// cannot be read is none.
fn weight_if(item: &str, name: &str) -> Option<Weight> {
    let mut parts = item.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let written =
        parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some(written.map_or(FULL, |number| weight(number).unwrap_or(0)))
}

/// `0`, `1`, and up to three decimals.
fn weight(number: &str) -> Option<Weight> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let is_decimal = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_decimal => format!("{decimals:0<3}").parse().ok(),
        "1" if is_decimal => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accepted: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for line in accepted {
            let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(ACCEPT_ENCODING, line);
        }
        Coding::negotiate(&headers, &[Coding::Gzip, Coding::Deflate, Coding::Brotli])
            .map(Coding::name)
    }

    #[test]
    fn the_weights_of_the_client_decide_and_then_our_order() {
        for (accepted, expected) in [
            (&["gzip, deflate, br, zstd"][..], Some("gzip")),
            (&["br, deflate, gzip"], Some("gzip")),
            (&["deflate", "br"], Some("deflate")),
            (&["br"], Some("br")),
            (&["BR;Q=1"], Some("br")),
            (&["gzip;q=0.5, br;q=0.8, deflate;q=0.79"], Some("br")),
            (&["gzip;q=0.001"], Some("gzip")),
            (&["*"], Some("gzip")),
            (&["*;q=0.5, deflate"], Some("deflate")),
            (&["*, gzip;q=0"], Some("deflate")),
            (&["gzip ; q=0.5 , br"], Some("br")),
            (&["identity;q=0.5, gzip;q=0.5"], Some("gzip")),
            (&["identity;q=0, gzip"], Some("gzip")),
        ] {
            assert_eq!(negotiate(accepted), expected, "{accepted:?}");
        }
    }

    #[test]
    fn a_client_that_takes_none_gets_none() {
        for accepted in [
            &[][..],
            &[""],
            &["identity"],
            &["zstd, compress"],
            &["gzip;q=0"],
            &["gzip;q=0.000"],
            &["*;q=0"],
            &["gzip;q=2"],
            &["gzip;q=x"],
            &["gzip;q=0.1234"],
            &["gzip;q=-1"],
            &["gzipped"],
            &["identity, gzip;q=0.5"],
            &["gzip;q=0.5, identity;q=0.6"],
            &["\u{e9}"],
        ] {
            assert_eq!(negotiate(accepted), None, "{accepted:?}");
        }
    }
}
