//! How many cookies a server may set. What a cookie means is not decided here.

use std::collections::HashSet;

use parking_lot::Mutex;

/// Cookies that one server may set: what browsers keep at least.
const MOST_COOKIES: usize = 180;
/// Bytes that one may have, with its attributes: what browsers keep at least.
const COOKIE_BYTES: usize = 4096;

/// Which cookies were taken: their names, with the paths and domains that they are for.
#[derive(Debug, Default)]
pub(super) struct TakenCookies(Mutex<HashSet<Box<str>>>);

impl TakenCookies {
    /// Whether a cookie is to be kept, by the value of its header: one that is known already always is.
    pub(super) fn take(&self, cookie: &[u8]) -> bool {
        let Some(key) = key_of(cookie) else { return false };
        let mut taken = self.0.lock();
        taken.contains(&*key) || (taken.len() < MOST_COOKIES && taken.insert(key))
    }
}

fn key_of(cookie: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(cookie).ok().filter(|text| text.len() <= COOKIE_BYTES)?;
    let mut parts = text.split(';');
    let name = parts.next()?.split('=').next()?.trim();
    let place = parts.map(|part| part.trim().to_ascii_lowercase());
    let place: Vec<String> =
        place.filter(|part| part.starts_with("path=") || part.starts_with("domain=")).collect();
    Some(format!("{name};{}", place.join(";")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_11_a_server_may_set_so_many_cookies_and_change_each() {
        let taken = TakenCookies::default();
        let cookie =
            |number: usize, value: &str| format!("c{number}={value}; Path=/; Max-Age={value}");
        let takes = |number, value| taken.take(cookie(number, value).as_bytes());
        assert!((0..MOST_COOKIES).all(|number| takes(number, "1")));
        assert!(!takes(MOST_COOKIES, "1"));
        assert!((0..MOST_COOKIES).all(|number| takes(number, "2")), "these are known");
        assert!(!taken.take(b"c0=1; path=/other"), "this is another one");
    }

    #[test]
    fn c_11_what_is_too_long_or_no_text_is_no_cookie() {
        let taken = TakenCookies::default();
        assert!(!taken.take(format!("a={}", "x".repeat(COOKIE_BYTES)).as_bytes()));
        assert!(!taken.take(b"a=\xff") && taken.take(b"a=b"));
    }
}
