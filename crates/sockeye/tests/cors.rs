//! Which pages of other origins may use the server (E-024, E-048).

#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use sockeye::{AllowedOrigins, Cors, Server};

use support::{Http, Response, serve};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn http(cors: Cors) -> Http {
    Http::open(serve(&Server::builder().cors(cors).build()).await).await
}

async fn from(http: &mut Http, origin: &str) -> Response {
    http.get_with(POLL, &[&format!("Origin: {origin}")]).await
}

async fn preflight(http: &mut Http, lines: &[&str]) -> Response {
    let mut all = vec!["Origin: http://a.example", "Access-Control-Request-Method: POST"];
    all.extend(lines);
    http.request("OPTIONS", POLL, &all).await;
    let response = http.receive("a preflight").await;
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    response
}

fn list(origins: &[&str]) -> AllowedOrigins {
    AllowedOrigins::List(origins.iter().map(|origin| (*origin).to_owned()).collect())
}

#[tokio::test]
async fn origins_are_allowed_by_name() {
    let two = ["http://a.example", "https://b.example:8080"];
    let below = |origin: &str| match origin {
        "http://panic.example" => panic!("as asked"),
        _ => origin.ends_with(".example"),
    };
    for (cors, allowed, refused) in [
        (Cors::new(list(&two)), &two[..], &["http://a.example:80", "http://c.example", "null"][..]),
        (Cors::new(AllowedOrigins::Mirror), &["http://a.example", "null", "file://"], &[]),
        (
            Cors::matching(below),
            &["http://a.example", "http://b.example"],
            &["http://a.elsewhere", "http://panic.example", "null"],
        ),
    ] {
        let mut http = http(cors).await;
        for origin in allowed {
            let response = from(&mut http, origin).await;
            assert_eq!(response.header("access-control-allow-origin"), Some(*origin));
            assert_eq!(response.header("vary"), Some("Origin"));
        }
        for origin in refused {
            let response = from(&mut http, origin).await;
            // It is the browser that refuses.
            assert_eq!(response.status, 200);
            assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(response.header("vary"), Some("Origin"));
        }
        // Who is no page has no origin.
        let response = http.get(POLL).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn any_origin_is_a_star() {
    let mut http = http(Cors::any()).await;
    for response in [from(&mut http, "http://a.example").await, http.get(POLL).await] {
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("vary"), None);
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn without_the_option_there_are_no_headers_and_no_preflight() {
    let mut http = Http::open(serve(&Server::new()).await).await;
    let response = from(&mut http, "http://a.example").await;
    assert_eq!(response.status, 200);
    assert!(!response.head.to_ascii_lowercase().contains("access-control"), "{}", response.head);
    http.request("OPTIONS", POLL, &["Origin: http://a.example"]).await;
    let response = http.receive("an OPTIONS").await;
    assert_eq!(response.body, r#"{"code":2,"message":"Bad handshake method"}"#);
}

/// As those of the reference's own middleware.
#[tokio::test]
async fn a_preflight_is_answered_with_what_was_chosen() {
    let cors = Cors::new(list(&["http://a.example"]));
    let mut plain = http(cors.clone()).await;
    let response = preflight(&mut plain, &[]).await;
    let header = |name| response.header(name);
    assert_eq!(header("access-control-allow-origin"), Some("http://a.example"));
    let methods = "GET,HEAD,PUT,PATCH,POST,DELETE";
    assert_eq!(header("access-control-allow-methods"), Some(methods));
    assert_eq!(header("access-control-allow-headers"), None);
    assert_eq!(header("access-control-max-age"), None);
    // The reference says 0; a 204 must not say anything (RFC 9110 section 8.6).
    assert_eq!(header("content-length"), None);
    assert_eq!(response.headers("vary"), ["Origin", "Access-Control-Request-Headers"]);

    let asked = "Access-Control-Request-Headers: x-one, x-two";
    let response = preflight(&mut plain, &[asked]).await;
    assert_eq!(response.header("access-control-allow-headers"), Some("x-one, x-two"));

    let chosen = cors
        .credentials(true)
        .methods("GET,POST")
        .allowed_headers("x-one")
        .exposed_headers("x-three,x-four")
        .max_age(Duration::from_secs(600));
    let mut chosen = http(chosen).await;
    let response = preflight(&mut chosen, &[asked]).await;
    let header = |name| response.header(name);
    assert_eq!(header("access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(header("access-control-allow-headers"), Some("x-one"));
    assert_eq!(header("access-control-allow-credentials"), Some("true"));
    assert_eq!(header("access-control-expose-headers"), Some("x-three,x-four"));
    assert_eq!(header("access-control-max-age"), Some("600"));
    assert_eq!(response.headers("vary"), ["Origin"]);
    let response = from(&mut chosen, "http://a.example").await;
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.header("access-control-expose-headers"), Some("x-three,x-four"));
    assert_eq!(response.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    let io = Server::builder().cors(Cors::any()).max_http_buffer_size(100).build();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let open = http.get(POLL).await;
    let target = format!("{POLL}&sid={}", open.body.split('"').nth(3).expect("a sid"));
    let answers = [
        open,
        http.post(&target, "40").await,
        http.get(&target).await,
        http.post(&target, &"x".repeat(101)).await,
        http.get("/socket.io/").await,
        http.get("/socket.io").await,
        Http::open(address).await.upgrade_with(SOCKET, &[]).await,
        Http::open(address).await.upgrade_with("/socket.io/?EIO=4", &[]).await,
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [200, 200, 200, 413, 400, 400, 101, 400]);
    for answer in &answers {
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("*"), "{}", answer.head);
    }
}
