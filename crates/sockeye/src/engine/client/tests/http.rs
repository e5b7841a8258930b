use std::io::ErrorKind;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

async fn get(url: &str, options: ConnectOptions) -> Result<Vec<u8>, TransportCause> {
    within("an answer", client(url, options).get(format!("{url}/"))).await
}

#[tokio::test]
async fn a_body_is_read_to_its_end() {
    let long = "x".repeat(900_000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let (address, _) = answering(&[answer("200 OK", "", &long), chunked]).await;
    let url = format!("http://{address}");
    assert_eq!(get(&url, ConnectOptions::new()).await, Ok(long.clone().into_bytes()));
    assert_eq!(get(&url, ConnectOptions::new()).await, Ok(format!("abc{long}").into_bytes()));
}

#[tokio::test]
async fn a_body_above_the_limit_is_not_read() {
    let long = "x".repeat(1001);
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{long}\r\n0\r\n\r\n");
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_owned();
    for answer in [answer("200 OK", "", &long), chunked, announced] {
        let (address, _) = answering(&[&answer]).await;
        let options = ConnectOptions::new().max_message_bytes(1000);
        let result = get(&format!("http://{address}"), options).await;
        assert_eq!(result, Err(TransportCause::TooLarge { limit: 1000 }), "{answer:?}");
    }
    let (address, _) = answering(&[&answer("200 OK", "", &long)]).await;
    let options = ConnectOptions::new().max_message_bytes(1001);
    assert!(get(&format!("http://{address}"), options).await.is_ok());
}

#[tokio::test]
async fn each_way_to_fail_has_its_cause() {
    let (_held, address) = closed_port();
    match get(&format!("http://{address}"), ConnectOptions::new()).await {
        Err(TransportCause::Connect(kind, text)) => {
            assert_eq!(kind, ErrorKind::ConnectionRefused);
            assert!(text.contains("refused"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let unknown = get("http://sockeye.invalid", ConnectOptions::new()).await;
    assert!(matches!(&unknown, Err(TransportCause::Name(text)) if !text.is_empty()), "{unknown:?}");

    for (raw, expected) in [
        (
            answer("400 Bad Request", "", "{\"code\":1,\"message\":\"Session ID unknown\"}"),
            "the server answered 400: Session ID unknown (code 1)",
        ),
        (answer("500 Internal Server Error", "", "<html>"), "the server answered 500"),
        (answer("204 No Content", "", ""), "the server answered 204"),
        (
            answer("302 Found", "location: https://b/?token=secret\r\n", ""),
            "the server answered 302 and sends to https://b/",
        ),
    ] {
        let (address, requests) = answering(&[&raw]).await;
        let error = get(&format!("http://{address}"), ConnectOptions::new()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(requests.all().len(), 1);
    }
    for broken in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(broken.as_bytes()).await.unwrap();
        });
        let error = get(&format!("http://{address}"), ConnectOptions::new()).await.unwrap_err();
        assert!(matches!(error, TransportCause::Lost(_)), "{broken:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().request_timeout(Duration::from_millis(20));
    let error = get(&format!("http://{address}"), options).await;
    assert_eq!(error, Err(TransportCause::TimedOut), "C-013");
    drop(listener);
}

#[tokio::test]
async fn requests_look_like_the_references() {
    let ok = answer("200 OK", "", "ok");
    let (address, requests) = answering(&[&ok, &ok]).await;
    let name = HeaderName::from_static("x-room");
    let options = ConnectOptions::new().header(name, HeaderValue::from_static("lobby"));
    let client = client(&format!("http://{address}"), options);
    let url = format!("http://{address}/socket.io/?EIO=4");
    client.clone().get(url.clone()).await.unwrap();
    client.post(url, b"4a\x1ebAQI=".to_vec()).await.unwrap();
    let [get, post] = requests.all().try_into().unwrap();
    assert!(get.starts_with("GET /socket.io/?EIO=4 HTTP/1.1\r\n"), "{get}");
    assert!(post.starts_with("POST /socket.io/?EIO=4 HTTP/1.1\r\n"), "{post}");
    assert!(post.ends_with("\r\n\r\n4a\x1ebAQI="));
    for request in [&get, &post] {
        assert_eq!(header(request, "x-room"), Some("lobby"), "C-013");
        assert_eq!(header(request, "accept"), Some("*/*"), "C-019");
        assert_eq!(header(request, "host"), Some(&*address.to_string()));
        assert_eq!(header(request, "accept-encoding"), None);
    }
    assert_eq!(header(&post, "content-type"), Some("text/plain;charset=UTF-8"), "C-019");
}

#[tokio::test]
async fn an_upgrade_that_is_refused_tells_what_the_server_said() {
    let refusal = answer("400 Bad Request", "content-type: text/html\r\n", "Session ID unknown");
    let (address, requests) = answering(&[&refusal]).await;
    let url = format!("http://{address}");
    let mut headers = HeaderMap::new();
    headers.insert("connection", HeaderValue::from_static("upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    let upgraded = client(&url, ConnectOptions::new()).upgrade(format!("{url}/"), headers).await;
    let error = upgraded.map(drop).unwrap_err();
    assert_eq!(status(&error), Some(400));
    assert_eq!(error.to_string(), "the server answered 400: Session ID unknown", "E-035");
    assert_eq!(header(&requests.all()[0], "upgrade"), Some("websocket"));
}

#[tokio::test]
async fn cookies_are_kept_if_that_was_asked_for_and_sent_where_they_belong() {
    let set = "set-cookie: a=1; Path=/\r\nset-cookie: b=2; Max-Age=0\r\n\
        set-cookie: c=3; Path=/elsewhere\r\nset-cookie: d=4; Domain=other.example\r\n";
    let answers =
        [answer("200 OK", set, ""), answer("200 OK", "", ""), answer("404 Not Found", "", "")];
    for (keep, expected) in [(false, None), (true, Some("a=1"))] {
        let (address, requests) = answering(&answers).await;
        let url = format!("http://{address}");
        let dialer = dialer(&url, ConnectOptions::new().cookies(keep));
        // Each connection has a client of its own.
        dialer.client().unwrap().get(format!("{url}/socket.io/")).await.unwrap();
        dialer.client().unwrap().get(format!("{url}/socket.io/")).await.unwrap();
        let upgrade =
            dialer.client().unwrap().upgrade(format!("{url}/socket.io/"), HeaderMap::new());
        assert_eq!(status(&upgrade.await.map(drop).unwrap_err()), Some(404));
        let sent: Vec<_> =
            requests.all().iter().map(|it| header(it, "cookie").map(str::to_owned)).collect();
        let expected = expected.map(str::to_owned);
        assert_eq!(sent, [None, expected.clone(), expected], "C-012");
    }
}
