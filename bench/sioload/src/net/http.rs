//! The little of HTTP/1.1 and JSON that the client reads.

pub fn find(h: &[u8], n: &[u8]) -> Option<usize> {
    h.windows(n.len()).position(|w| w == n)
}

pub fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for l in head.split(|&b| b == b'\n') {
        if let Some(c) = l.iter().position(|&b| b == b':')
            && l[..c].eq_ignore_ascii_case(name)
        {
            return Some(l[c + 1..].trim_ascii());
        }
    }
    None
}

/// The string value of `"key":"..."` in flat JSON (sids hold no escapes).
pub fn json_str(d: &[u8], key: &str) -> Option<String> {
    let pat = format!("\"{key}\":");
    let i = find(d, pat.as_bytes())? + pat.len();
    let r = &d[i..];
    let a = r.iter().position(|&b| b == b'"')? + 1;
    let e = r[a..].iter().position(|&b| b == b'"')? + a;
    Some(String::from_utf8_lossy(&r[a..e]).into_owned())
}

pub fn json_num(d: &[u8], key: &str) -> Option<u64> {
    let pat = format!("\"{key}\":");
    let i = find(d, pat.as_bytes())? + pat.len();
    let n = d[i..].iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&d[i..i + n]).ok()?.parse().ok()
}

/// One whole HTTP/1.1 response: (status, body, bytes used).
pub fn http_response(d: &[u8]) -> Result<Option<(u16, Vec<u8>, usize)>, String> {
    let h = match find(d, b"\r\n\r\n") {
        None => return Ok(None),
        Some(i) => i,
    };
    if d.len() < 12 || !d.starts_with(b"HTTP/1.1 ") {
        return Err("not an HTTP/1.1 response".into());
    }
    let code: u16 =
        std::str::from_utf8(&d[9..12]).ok().and_then(|x| x.parse().ok()).ok_or("status")?;
    let head = &d[..h];
    let p = h + 4;
    if let Some(cl) = header(head, b"content-length") {
        let n: usize =
            std::str::from_utf8(cl).ok().and_then(|x| x.parse().ok()).ok_or("content-length")?;
        if d.len() < p + n {
            return Ok(None);
        }
        return Ok(Some((code, d[p..p + n].to_vec(), p + n)));
    }
    if header(head, b"transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked")) {
        let (mut q, mut out) = (p, Vec::new());
        loop {
            let e = match find(&d[q..], b"\r\n") {
                None => return Ok(None),
                Some(e) => e,
            };
            let l = std::str::from_utf8(&d[q..q + e]).map_err(|_| "chunk")?;
            let n = usize::from_str_radix(l.split(';').next().unwrap().trim(), 16)
                .map_err(|_| "chunk")?;
            q += e + 2;
            if d.len() < q + n + 2 {
                return Ok(None);
            }
            out.extend_from_slice(&d[q..q + n]);
            q += n + 2;
            if n == 0 {
                return Ok(Some((code, out, q)));
            }
        }
    }
    Err("HTTP answer without a length".into())
}

#[cfg(test)]
mod t {
    use super::*;
    #[test]
    fn http_forms() {
        let a = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX";
        let (c, b, n) = http_response(a).unwrap().unwrap();
        assert_eq!((c, &b[..], n), (200, &b"ok"[..], a.len() - 1));
        let a = b"HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n";
        let (c, b, n) = http_response(a).unwrap().unwrap();
        assert_eq!((c, &b[..], n), (400, &b"abcd"[..], a.len()));
        for i in 0..a.len() {
            assert!(http_response(&a[..i]).unwrap().is_none(), "{i}");
        }
    }
}
