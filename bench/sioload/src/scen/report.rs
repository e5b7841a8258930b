//! The line of JSON that each scenario prints.
use crate::hist::Hist;
use std::fmt::Write as _;

pub struct J(String);
impl J {
    pub fn new() -> J {
        J(String::from("{"))
    }
    fn key(&mut self, k: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{k}\":");
    }
    pub fn s(&mut self, k: &str, v: &str) {
        self.key(k);
        self.0.push('"');
        for c in v.chars() {
            match c {
                '"' | '\\' => {
                    self.0.push('\\');
                    self.0.push(c);
                }
                c if (c as u32) < 32 => {
                    let _ = write!(self.0, "\\u{:04x}", c as u32);
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
    pub fn u(&mut self, k: &str, v: u64) {
        self.key(k);
        let _ = write!(self.0, "{v}");
    }
    pub fn i(&mut self, k: &str, v: i64) {
        self.key(k);
        let _ = write!(self.0, "{v}");
    }
    pub fn f(&mut self, k: &str, v: f64) {
        self.key(k);
        if v.is_finite() {
            let _ = write!(self.0, "{v:.3}");
        } else {
            self.0.push_str("null");
        }
    }
    pub fn b(&mut self, k: &str, v: bool) {
        self.key(k);
        let _ = write!(self.0, "{v}");
    }
    pub fn arr(&mut self, k: &str, v: &[f64]) {
        self.key(k);
        self.0.push('[');
        for (i, x) in v.iter().enumerate() {
            let _ = write!(self.0, "{}{x:.1}", if i > 0 { "," } else { "" });
        }
        self.0.push(']');
    }
    pub fn print(mut self) {
        self.0.push('}');
        println!("{}", self.0);
    }
}

pub fn lat(j: &mut J, pre: &str, h: &Hist) {
    for (n, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
        j.f(&format!("{pre}{n}_us"), h.q(q) as f64 / 1e3);
    }
    j.f(&format!("{pre}max_us"), h.max() as f64 / 1e3);
    j.f(&format!("{pre}mean_us"), h.mean() / 1e3);
}
