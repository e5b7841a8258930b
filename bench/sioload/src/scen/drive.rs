//! Opening, closing and waiting, common to all scenarios.
use super::{MS, SEC};
use crate::net::{App, Mode, Net, St};
use crate::sys::now_ns;

/// Opens `n` sessions, at most `conc` at once. Returns false if not all of them opened.
pub fn connect_all(
    net: &mut Net,
    app: &mut impl App,
    mode: Mode,
    n: u64,
    conc: u64,
    rcvbuf: Option<i32>,
) -> bool {
    let goal = net.opened + n;
    let mut started = 0;
    let begin = now_ns();
    let mut last = (net.opened, begin);
    while net.opened < goal {
        let now = now_ns();
        while started < n && net.opening < conc {
            net.open(mode, rcvbuf, now);
            started += 1;
            net.flush(app);
        }
        net.poll(app, 20 * MS);
        if net.opened != last.0 {
            last = (net.opened, now_ns());
        } else if started == n && net.opening == 0 {
            break;
        } else if now_ns() - last.1 > 15 * SEC {
            let left = goal - net.opened;
            net.error(format!("connecting stalled with {left} to go"));
            break;
        }
        if now_ns() - begin > 120 * SEC {
            let got = n - (goal - net.opened);
            net.error(format!("only {got} of {n} connections opened in 120 s"));
            break;
        }
    }
    net.opened >= goal
}

pub fn close_all(net: &mut Net, app: &mut impl App, clean: bool) {
    for s in 0..net.sess.len() as u32 {
        match net.sess[s as usize].st {
            St::Dead => {}
            St::Open if clean => net.close_clean(s),
            _ => net.kill(s),
        }
        if s % 64 == 63 {
            net.poll(app, 0);
        }
    }
    let end = now_ns() + 5 * SEC;
    while net.live > 0 && now_ns() < end {
        net.poll(app, 20 * MS);
    }
    let left = net.live;
    if left > 0 {
        net.error(format!("{left} sessions were not closed by the server within 5 s"));
        for s in 0..net.sess.len() as u32 {
            net.kill(s);
        }
    }
}

pub fn idle_for(net: &mut Net, app: &mut impl App, ns: u64) {
    let end = now_ns() + ns;
    loop {
        let now = now_ns();
        if now >= end {
            return;
        }
        net.poll(app, end - now);
    }
}
