//! The line of JSON that is printed.

use std::fmt::Write as _;
use std::io::Write as _;

/// An object of JSON, as far as it is written.
#[derive(Debug)]
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn new() -> Self {
        Self("{".into())
    }

    pub(crate) fn number(&mut self, key: &str, value: f64) {
        let value = if value.is_finite() { value } else { 0.0 };
        self.raw(key, &format!("{value:.6}"));
    }

    pub(crate) fn count(&mut self, key: &str, value: u64) {
        self.raw(key, &value.to_string());
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, &value.to_string());
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        let mut quoted = String::from("\"");
        for letter in value.chars() {
            match letter {
                '"' | '\\' => quoted.extend(['\\', letter]),
                letter if letter < ' ' => quoted.push(' '),
                letter => quoted.push(letter),
            }
        }
        quoted.push('"');
        self.raw(key, &quoted);
    }

    fn raw(&mut self, key: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
    }

    pub(crate) fn print(mut self) {
        self.0.push_str("}\n");
        let _ = std::io::stdout().write_all(self.0.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json() {
        let mut report = Report::new();
        report.number("a", 0.5);
        report.number("nothing", f64::NAN);
        report.count("b", 2);
        report.flag("ok", true);
        report.text("c", "a \"b\" \\ \n");
        let expected = r#"{"a":0.500000,"nothing":0.000000,"b":2,"ok":true,"c":"a \"b\" \\  ""#;
        assert_eq!(report.0, expected);
    }
}
