//! Long-polling in each of its forms.

use std::sync::Arc;

use conformance::raw::{Connection, Request, WebSocket};
use conformance::{Case, Outcome, Server};

use crate::session::{Session, welcome};

/// Queries of sessions whose payloads are text.
const TEXT: &[&str] = &["EIO=3", "a=b", "EIO=3&b64=1", "EIO=3&j=0&b64=1", "j=12&b64=1"];

const BINARY_EVENT: &str = r#"451-["echo",{"_placeholder":true,"num":0}]"#;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("polling: EIO 3: text", "E-007 E-112 E-117 E-118 S-099", text),
        Case::new("polling: EIO 3: binary", "E-113 E-043", binary),
        Case::new("polling: EIO 3: binary as base64", "E-114 E-117", base64),
        Case::new("polling: EIO 3: the client pings", "E-081", pings),
        Case::new("polling: EIO 3: a client's pong", "E-079", pong),
        Case::new("polling: EIO 3: an EIO 4 request", "E-037", other_revision),
        Case::new("polling: EIO 3: closed by the server", "E-062", server_closes),
        Case::new("polling: EIO 3: closed by the client", "E-060", client_closes),
        Case::new("polling: EIO 3: an upgrade", "E-085 E-087", upgrade),
        Case::new("polling: EIO 3: a namespace with a query", "S-099 S-100", namespaces),
        Case::new("polling: EIO 3: refusals", "S-024 S-101", refusals),
        Case::new("polling: EIO 3: the order of checks", "E-033 E-008", order_of_checks),
        Case::new("jsonp: EIO 4", "E-117", modern_jsonp),
        Case::new("jsonp: the index is that of the first request", "E-117", index),
        Case::new("jsonp: the index has digits only", "E-117", index_digits),
        Case::new("jsonp: an empty index", "E-117", empty_index),
        Case::new("jsonp: separators and newlines", "E-117", separators),
        Case::new("jsonp: a form without a payload", "E-117", no_payload),
        Case::new("jsonp: binary for who did not ask for base64", "E-117", jsonp_binary),
    ]
}

/// A payload of revision 3 with one packet.
fn payload(packet: &str) -> String {
    format!("{}:{packet}", packet.encode_utf16().count())
}

async fn text(server: Arc<Server>) -> Outcome {
    for query in TEXT {
        let mut session = Session::join(&server, query).await?;
        let event = r#"42["echo","é€😀\n",[null,1.5]]"#;
        session.send(&payload(event)).await?;
        session.expect(event).await?;
        let two = [r#"42["echo","😀"]"#, r#"421["echo-ack"]"#];
        session.send(&(payload(two[0]) + &payload(two[1]))).await?;
        session.expect(two[0]).await?;
        session.expect("431[]").await?;
    }
    Ok(())
}

async fn binary(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    let mut body = Vec::new();
    for (kind, data) in [(0, BINARY_EVENT.as_bytes()), (1, &[4, 1, 255, 0])] {
        body.push(kind);
        body.extend(data.len().to_string().bytes().map(|digit| digit - b'0'));
        body.push(255);
        body.extend_from_slice(data);
    }
    session.post(&body, "application/octet-stream").await?.expect(200, "ok")?;
    let response = session.poll().await?;
    response.expect_header("content-type", "application/octet-stream")?;
    conformance::Failure::unless_equal("the body", &response.body(), &&body[..])?;
    session.send(&payload(r#"42["echo","text again"]"#)).await?;
    let response = session.poll().await?;
    response.expect_header("content-type", "text/plain; charset=UTF-8")?;
    response.expect(200, r#"23:42["echo","text again"]"#)
}

async fn base64(server: Arc<Server>) -> Outcome {
    for query in TEXT.iter().filter(|query| query.contains("b64")) {
        let mut session = Session::join(&server, query).await?;
        session.send(&(payload(BINARY_EVENT) + &payload("b4AQI="))).await?;
        session.expect(BINARY_EVENT).await?;
        session.expect("b4AQI=").await?;
    }
    Ok(())
}

async fn pings(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    for _ in 0..2 {
        session.send("1:2").await?;
        session.expect("3").await?;
    }
    Ok(())
}

async fn pong(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    session.send("1:3").await?;
    session.expect_closed().await
}

async fn other_revision(server: Arc<Server>) -> Outcome {
    let session = Session::join(&server, "EIO=3").await?;
    let target = server.target(&format!("EIO=4&transport=polling&sid={}", session.sid()));
    Connection::once(&server, &Request::get(&target)).await?.expect_error(3)
}

async fn server_closes(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    session.send(&payload(r#"42["drop-me"]"#)).await?;
    session.expect("6").await?;
    session.expect("1").await?;
    session.expect_closed().await
}

async fn client_closes(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    session.send("1:1").await?;
    session.expect_closed().await
}

async fn upgrade(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    let query = format!("EIO=3&transport=websocket&sid={}", session.sid());
    let mut socket = WebSocket::connect(&server, &query).await?;
    socket.play(&["> 2probe", "< 3probe"]).await?;
    session.expect("6").await?;
    socket.play(&["> 5", "> 2", "< 3"]).await?;
    socket.play(&[&format!("> {BINARY_EVENT}"), ">> 04 01 02"]).await?;
    socket.play(&[&format!("< {BINARY_EVENT}"), "<< 04 01 02"]).await?;
    session.poll().await?.expect_error(3)
}

async fn namespaces(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    let sid = session.sid().to_owned();
    session.send(&payload("40/auth?name=J%C3%BCrgen+K&token=secret,")).await?;
    session.expect("40/auth,").await?;
    let auth = r#"{"name":"Jürgen K","token":"secret"}"#;
    session.expect(&welcome("/auth", &format!("/auth#{sid}"), auth)).await?;
    session.send(&payload(r#"42/auth,1["echo-ack","é"]"#)).await?;
    session.expect(r#"43/auth,1["é"]"#).await?;
    session.send(&payload("41/auth,")).await?;
    session.send(&payload("40/dyn-1")).await?;
    session.expect("40/dyn-1,").await?;
    session.expect(&welcome("/dyn-1", &format!("/dyn-1#{sid}"), "{}")).await.map(drop)
}

async fn refusals(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    session.send(&payload("40/auth?token=wrong,")).await?;
    session.expect(r#"44/auth,{"code":401}"#).await?;
    session.send(&payload("40/nowhere?token=x,")).await?;
    session.expect(r#"44/nowhere,{"message":"Invalid namespace"}"#).await.map(drop)
}

async fn order_of_checks(server: Arc<Server>) -> Outcome {
    for (method, query, code) in [
        ("GET", "EIO=3", 0),
        ("GET", "EIO=3&transport=polling&sid=unknown", 1),
        ("POST", "EIO=3&transport=polling", 2),
        ("GET", "EIO=3&transport=websocket", 3),
    ] {
        let request = Request::new(method, &server.target(query));
        Connection::once(&server, &request).await?.expect_error(code)?;
    }
    Ok(())
}

async fn modern_jsonp(server: Arc<Server>) -> Outcome {
    let mut session = Session::open(&server, "EIO=4&j=3").await?;
    session.send("40").await?;
    session.expect(r#"40{"sid":"<sid>"}"#).await?;
    session.expect("42[\"welcome\",<any>").await?;
    session.send(&format!("{BINARY_EVENT}\u{1e}bAQI=")).await?;
    session.expect(BINARY_EVENT).await?;
    session.expect("bAQI=").await.map(drop)
}

async fn index(server: Arc<Server>) -> Outcome {
    let session = Session::open(&server, "EIO=3&j=7").await?;
    let target = session.target().replace("j=7", "j=8");
    let response = Connection::once(&server, &Request::get(&target)).await?;
    assert!(response.text().starts_with("___eio[7](\"2:40"), "{}", response.text());
    Ok(())
}

async fn index_digits(server: Arc<Server>) -> Outcome {
    let target = server.target("EIO=3&transport=polling&j=a1](b)2");
    let response = Connection::once(&server, &Request::get(&target)).await?;
    assert!(response.text().starts_with("___eio[12](\""), "{}", response.text());
    Ok(())
}

async fn empty_index(server: Arc<Server>) -> Outcome {
    let target = server.target("EIO=4&transport=polling&j=");
    let response = Connection::once(&server, &Request::get(&target)).await?;
    assert!(response.text().starts_with("___eio[](\"0{"), "{}", response.text());
    Ok(())
}

async fn separators(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3&j=1").await?;
    let event = "42[\"echo\",\"\u{2028}\\n\u{2029}</script>\"]";
    session.send(&payload(event)).await?;
    let response = session.poll().await?;
    let script = r#"___eio[1]("26:42[\"echo\",\"\u2028\\n\u2029</script>\"]");"#;
    response.expect(200, script)
}

async fn no_payload(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3&j=1").await?;
    for body in ["", "x=1", "d=1:6&d=1:6"] {
        session.post(body.as_bytes(), "text/plain").await?.expect(200, "ok")?;
    }
    session.send("1:2").await?;
    session.expect("3").await.map(drop)
}

async fn jsonp_binary(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3&j=1").await?;
    session.send(&(payload(BINARY_EVENT) + &payload("b4AQI="))).await?;
    session.expect(BINARY_EVENT).await?;
    session.expect("b4AQI=").await.map(drop)
}
