//! `verify`: which parts of the contract the server keeps, transport by transport.
use super::drive::{close_all, connect_all, idle_for};
use super::{Env, MS, SEC, head, tail};
use crate::net::{App, Mode, Net};
use crate::sys::now_ns;
use std::fmt::Write as _;

struct Probe {
    got: Vec<(u32, Vec<u8>, bool)>,
}
impl App for Probe {
    fn on_text(&mut self, _io: &mut Net, s: u32, d: &[u8], _n: u64) {
        self.got.push((s, d.to_vec(), false));
    }
    fn on_bin(&mut self, _io: &mut Net, s: u32, d: &[u8], _n: u64) {
        self.got.push((s, d.to_vec(), true));
    }
}

/// Says which parts of the contract the server keeps.
pub fn verify(e: &Env, net: &mut Net) -> bool {
    let mut j = head(e);
    let mut all = true;
    for (name, mode) in [("ws", Mode::Ws), ("polling", Mode::Polling), ("upgrade", Mode::Upgrade)] {
        let mut a = Probe { got: vec![] };
        net.sess.clear();
        net.opened = 0;
        net.expect_close = true;
        let up = connect_all(net, &mut a, mode, 2, 2, None);
        let mut bad = String::new();
        if !up {
            bad = "connect".into();
        } else {
            let (x, y) = (0u32, 1u32);
            let mut step = |net: &mut Net,
                            what: &str,
                            send: &[&str],
                            bin: Option<&[u8]>,
                            want: &[(u32, &str, bool)],
                            from: u32| {
                a.got.clear();
                for t in send {
                    net.send_str(from, t);
                }
                if let Some(b) = bin {
                    net.send_bin(from, b.len(), |o| o.extend_from_slice(b));
                }
                let end = now_ns() + SEC;
                while a.got.len() < want.len() && now_ns() < end && net.live == 2 {
                    net.poll(&mut a, 10 * MS);
                }
                idle_for(net, &mut a, 10 * MS);
                let w: Vec<_> =
                    want.iter().map(|(s, t, b)| (*s, t.as_bytes().to_vec(), *b)).collect();
                let mut g = a.got.clone();
                g.sort();
                let mut w2 = w;
                w2.sort();
                // JSON may also be written with \u escapes: the same value.
                let plain = |v: &Vec<(u32, Vec<u8>, bool)>| {
                    v.iter()
                        .map(|(s, d, b)| {
                            let t = String::from_utf8_lossy(d);
                            (
                                *s,
                                t.replace("\\u00e9", "\u{e9}")
                                    .replace("\\ud83d\\ude00", "\u{1F600}"),
                                *b,
                            )
                        })
                        .collect::<Vec<_>>()
                };
                if plain(&g) != plain(&w2) {
                    let _ = write!(bad, "{what} ");
                    for (s, d, b) in &g {
                        eprintln!(
                            "  {name}/{what}: session {s} got {:?} bin={b}",
                            String::from_utf8_lossy(d)
                        );
                    }
                }
            };
            step(
                net,
                "echo",
                &["42[\"echo\",\"a\"]"],
                None,
                &[(x, "42[\"echo\",\"a\"]", false)],
                x,
            );
            step(
                net,
                "echo-args",
                &["42[\"echo\",1,{\"a\":[true,null]},\"z\"]"],
                None,
                &[(x, "42[\"echo\",1,{\"a\":[true,null]},\"z\"]", false)],
                x,
            );
            step(
                net,
                "echo-utf8",
                &["42[\"echo\",\"h\u{e9}\u{1F600}\\\"\"]"],
                None,
                &[(x, "42[\"echo\",\"h\u{e9}\u{1F600}\\\"\"]", false)],
                x,
            );
            for name in ["echo-value", "echo-typed"] {
                let note = "{\"id\":\"a\",\"name\":\"b\",\"score\":-3,\"tags\":[],\"urgent\":true}";
                let event = format!("42[\"{name}\",{note}]");
                step(net, name, &[&event], None, &[(x, &event, false)], x);
            }
            step(net, "ack", &["427[\"ack\",\"a\"]"], None, &[(x, "437[\"a\"]", false)], x);
            step(net, "join", &["421[\"join\",\"r1\"]"], None, &[(x, "431[]", false)], x);
            step(
                net,
                "room",
                &["42[\"room\",\"r1\",\"p\"]"],
                None,
                &[(x, "42[\"room\",\"p\"]", false)],
                y,
            );
            step(net, "room-none", &["42[\"room\",\"r9\",\"p\"]"], None, &[], y);
            step(
                net,
                "bcast",
                &["42[\"bcast\",\"p\"]"],
                None,
                &[(x, "42[\"bcast\",\"p\"]", false), (y, "42[\"bcast\",\"p\"]", false)],
                y,
            );
            step(net, "leave", &["422[\"leave\",\"r1\"]"], None, &[(x, "432[]", false)], x);
            step(net, "room-left", &["42[\"room\",\"r1\",\"p\"]"], None, &[], y);
            if mode != Mode::Polling {
                let ph = "{\"_placeholder\":true,\"num\":0}";
                let e1 = format!("451-[\"echo\",{ph}]");
                step(
                    net,
                    "echo-bin",
                    &[&e1],
                    Some(b"xyz"),
                    &[(x, &e1, false), (x, "xyz", true)],
                    x,
                );
                let a1 = format!("451-5[\"ack\",{ph}]");
                let a2 = format!("461-5[{ph}]");
                step(net, "ack-bin", &[&a1], Some(b"xyz"), &[(x, &a2, false), (x, "xyz", true)], x);
                let b1 = format!("451-[\"bcast\",{ph}]");
                step(
                    net,
                    "bcast-bin",
                    &[&b1],
                    Some(b"xyz"),
                    &[(x, &b1, false), (x, "xyz", true), (y, &b1, false), (y, "xyz", true)],
                    x,
                );
            }
        }
        if up && net.live != 2 {
            bad.push_str("lost-connection");
        }
        close_all(net, &mut a, true);
        for s in 0..net.sess.len() as u32 {
            net.kill(s);
        }
        all &= bad.is_empty();
        j.s(name, if bad.is_empty() { "ok" } else { bad.trim() });
    }
    tail(j, net, all)
}
