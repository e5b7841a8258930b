//! WebSockets of revision 3.

use std::sync::Arc;

use conformance::raw::WebSocket;
use conformance::{Case, Outcome, Server};

use crate::session::welcome;

const EVENT: &str = r#" 451-["echo",{"_placeholder":true,"num":0}]"#;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("websocket: EIO 3: a session", "E-010 E-081 S-099", opens),
        Case::new("websocket: no EIO", "E-007", |server| async move {
            join(&server, "a=b").await.map(drop)
        }),
        Case::new("websocket: EIO 3: binary", "E-115", binary),
        Case::new("websocket: EIO 3: binary as base64", "E-069 E-114", base64),
        Case::new("websocket: EIO 3: binary without a type", "E-115", |server| {
            closes_after(server, &[])
        }),
        Case::new("websocket: EIO 3: binary of another type", "E-115", |server| {
            closes_after(server, &[9, 1])
        }),
        Case::new("websocket: EIO 3: a silent client", "E-081", silent),
        Case::new("websocket: EIO 3: a CONNECT for `/`", "S-025", connect),
        Case::new("websocket: EIO 3: namespaces", "S-099 S-100", namespaces),
        Case::new("websocket: EIO 3: who is in `/` may stay", "S-102", stays),
    ]
}

/// Opens a session, and awaits what the contract server says in `/`.
async fn join(server: &Server, query: &str) -> Outcome<(WebSocket, String)> {
    let query = format!("{query}&transport=websocket");
    let mut socket = WebSocket::connect(server, &query).await?;
    let sid = socket.expect(&server.open_packet("websocket")).await?.swap_remove(0);
    socket.expect("40").await?;
    socket.expect(&welcome("/", &sid, "{}")).await?;
    Ok((socket, sid))
}

async fn opens(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    socket.play(&["> 2", "< 3", "> 421[\"echo-ack\",\"é\"]", "< 431[\"é\"]"]).await?;
    socket.close(1000).await?;
    socket.expect_close(1000).await
}

async fn binary(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    let (sent, got) = (format!(">{EVENT}"), format!("<{EVENT}"));
    socket.play(&[&sent, ">> 04 01 02", &got, "<< 04 01 02"]).await?;
    socket.play(&[&sent, ">> 04", &got, "<< 04"]).await?;
    socket.play(&[&sent, "> b4AQI=", &got, "<< 04 01 02"]).await
}

async fn base64(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3&b64=1").await?;
    let (sent, got) = (format!(">{EVENT}"), format!("<{EVENT}"));
    socket.play(&[&sent, "> b4AQI=", &got, "< b4AQI="]).await?;
    socket.play(&[&sent, ">> 04 01 02", &got, "< b4AQI="]).await
}

async fn closes_after(server: Arc<Server>, bytes: &'static [u8]) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    socket.send_binary(bytes).await?;
    socket.send("2").await?;
    socket.expect_close(1005).await
}

/// Two seconds after the handshake.
async fn silent(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    socket.ignore_pings();
    socket.expect_close(1005).await
}

async fn connect(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    socket.play(&["> 40", "> 420[\"echo-ack\"]", "< 430[]"]).await
}

async fn namespaces(server: Arc<Server>) -> Outcome {
    let (mut socket, sid) = join(&server, "EIO=3").await?;
    socket.play(&["> 40/dyn-7?a=1&a=2,", "< 40/dyn-7,"]).await?;
    socket.expect(&welcome("/dyn-7", &format!("/dyn-7#{sid}"), r#"{"a":"2"}"#)).await?;
    socket.play(&["> 42/dyn-7,0[\"echo-ack\",1]", "< 43/dyn-7,0[1]"]).await?;
    socket.play(&["> 41/dyn-7,", "> 40/auth,", "< 44/auth,{\"code\":401}"]).await
}

/// The time for joining a namespace is one second.
async fn stays(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = join(&server, "EIO=3").await?;
    socket.play(&["> 421[\"delay-ack\",1200,1]", "< 431[1]"]).await
}
