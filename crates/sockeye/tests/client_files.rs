//! The browser bundle under the server's path (S-097).

#![cfg(feature = "server")]

mod support;

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use sockeye::{AllowedOrigins, ClientFiles, Cors, Server, ServerBuilder};

use support::{Http, Response, serve};

/// A directory that is gone when the test is over.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sockeye-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn with_bundle(test: &str) -> Self {
        let directory = Self::new(test);
        directory.write("socket.io.js", BUNDLE_HEAD.to_owned() + &"exports.io = io;\n".repeat(500));
        directory.write("socket.io.js.map", r#"{"version":3,"sources":[]}"#.repeat(20));
        directory.write("socket.io.min.js", "x");
        directory.write("other.js", "nobody's business");
        directory
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), content).expect("a file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).expect("a file")
    }

    async fn http(&self, builder: ServerBuilder) -> Http {
        let files = ClientFiles::read(&self.0).expect("the bundle");
        let io = builder.serve_client(files).build();
        Http::open(serve(&io).await).await
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BUNDLE_HEAD: &str = "/*!\n * Socket.IO v4.8.4\n * (c) 2014-2026 Guillermo Rauch\n */\n";

#[track_caller]
fn expect_file(response: &Response, content: &[u8], content_type: &str) {
    assert_eq!(response.status, 200);
    assert_eq!(response.bytes, content);
    assert_eq!(response.header("content-type"), Some(content_type));
    assert_eq!(response.header("content-length"), Some(content.len().to_string().as_str()));
    assert_eq!(response.header("cache-control"), Some("public, max-age=0"));
    assert_eq!(response.header("etag"), Some("\"4.8.4\""));
    assert_eq!(response.headers("vary"), ["Accept-Encoding"]);
}

#[tokio::test]
async fn the_files_have_the_headers_of_the_reference() {
    let directory = Directory::with_bundle("headers");
    let mut http = directory.http(Server::builder()).await;
    for (name, content_type) in [
        ("socket.io.js", "application/javascript; charset=utf-8"),
        ("socket.io.js.map", "application/json; charset=utf-8"),
        ("socket.io.min.js", "application/javascript; charset=utf-8"),
    ] {
        for query in ["", "?", "?v=1&EIO=4"] {
            let response = http.get(&format!("/socket.io/{name}{query}")).await;
            expect_file(&response, &directory.read(name), content_type);
            assert_eq!(response.header("content-encoding"), None);
        }
    }
}

#[tokio::test]
async fn no_other_name_is_a_file() {
    let directory = Directory::with_bundle("names");
    let mut http = directory.http(Server::builder()).await;
    for name in [
        "",
        "other.js",
        // One that could be there, and is not.
        "socket.io.esm.min.js",
        "Socket.io.js",
        "socket.io.js/",
        "/socket.io.js",
        "./socket.io.js",
        "x/../socket.io.js",
        "socket%2Eio.js",
        "socket.io.js%00",
        "socket.io.js.br",
    ] {
        let response = http.get(&format!("/socket.io/{name}")).await;
        assert_eq!(response.body, r#"{"code":0,"message":"Transport unknown"}"#, "{name}");
    }
    assert_eq!(http.get("/socket.io.js").await.status, 404);
    assert_eq!(http.post("/socket.io/socket.io.js", "").await.status, 400);
    // The rest is as without files.
    assert_eq!(http.get("/socket.io/?EIO=4&transport=polling").await.status, 200);
}

#[tokio::test]
async fn without_a_bundle_there_are_no_files() {
    let mut http = Http::open(serve(&Server::new()).await).await;
    assert_eq!(http.get("/socket.io/socket.io.js").await.status, 400);
    let empty = Directory::new("empty");
    let missing = ClientFiles::read(&empty.0).map(drop).map_err(|error| error.kind());
    assert_eq!(missing, Err(std::io::ErrorKind::NotFound));
}

#[tokio::test]
async fn a_client_that_has_the_version_gets_nothing() {
    let directory = Directory::with_bundle("known");
    let mut http = directory.http(Server::builder()).await;
    for (tag, status) in [
        ("\"4.8.4\"", 304),
        ("W/\"4.8.4\"", 304),
        ("\"4.8.3\", W/\"4.8.4\"", 304),
        ("*", 304),
        ("4.8.4", 200),
        ("\"4.8.3\"", 200),
        ("", 200),
    ] {
        let line = format!("If-None-Match: {tag}");
        let response = http.get_with("/socket.io/socket.io.js", &[&line]).await;
        assert_eq!(response.status, status, "{tag}");
        assert_eq!(response.header("etag"), Some("\"4.8.4\""));
        assert_eq!(response.bytes.is_empty(), status == 304);
    }
}

/// What a browser makes of it.
fn inflate(response: &Response) -> Vec<u8> {
    let mut body = Vec::new();
    let bytes = response.bytes.as_slice();
    match response.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(bytes).read_to_end(&mut body),
        Some("deflate") => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut body),
        Some("br") => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut body),
        other => panic!("coding {other:?}"),
    }
    .expect("a compressed body");
    body
}

#[tokio::test]
async fn the_files_are_compressed_as_the_client_likes() {
    let directory = Directory::with_bundle("compressed");
    let mut http = directory.http(Server::builder()).await;
    for (accepted, coding) in [
        ("br, gzip, deflate", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("deflate", "deflate"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        // Again, from what was kept.
        ("gzip", "gzip"),
    ] {
        let line = format!("Accept-Encoding: {accepted}");
        for name in ["socket.io.js", "socket.io.js.map"] {
            let response = http.get_with(&format!("/socket.io/{name}"), &[&line]).await;
            assert_eq!(response.header("content-encoding"), Some(coding), "{accepted}");
            let content = directory.read(name);
            assert_eq!(inflate(&response), content, "{accepted}");
            assert!(response.bytes.len() < content.len());
            assert_eq!(response.headers("vary"), ["Accept-Encoding"]);
        }
        // It would get longer.
        let response = http.get_with("/socket.io/socket.io.min.js", &[&line]).await;
        assert_eq!((response.body.as_str(), response.header("content-encoding")), ("x", None));
    }
}

#[tokio::test]
async fn clients_that_come_at_once_get_the_same() {
    let directory = Directory::with_bundle("at-once");
    let files = ClientFiles::read(&directory.0).expect("the bundle");
    let address = serve(&Server::builder().serve_client(files).build()).await;
    let requests = (0..8).map(|_| async {
        let line = "Accept-Encoding: br";
        let mut http = Http::open(address).await;
        http.get_with("/socket.io/socket.io.js", &[line]).await.bytes
    });
    let mut bodies = futures_util::future::join_all(requests).await;
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let directory = Directory::with_bundle("head");
    let mut http = directory.http(Server::builder()).await;
    let target = "/socket.io/socket.io.js";
    for lines in [&[][..], &["Accept-Encoding: gzip"]] {
        let get = http.get_with(target, lines).await;
        http.request("HEAD", target, lines).await;
        let head = http.receive_head("a HEAD").await;
        let headers = |response: &Response| {
            let mut lines: Vec<_> = response.head.lines().map(str::to_owned).collect();
            lines.retain(|line| !line.starts_with("date: "));
            lines.sort();
            lines
        };
        assert_eq!(headers(&head), headers(&get));
    }
    // Nothing came behind it.
    assert_eq!(http.get(target).await.status, 200);
}

#[tokio::test]
async fn the_files_have_cors_headers() {
    let directory = Directory::with_bundle("cors");
    let origins = AllowedOrigins::List(vec!["http://a.example".into()]);
    let mut http = directory.http(Server::builder().cors(Cors::new(origins))).await;
    let lines = ["Origin: http://a.example"];
    let known = ["Origin: http://a.example", "If-None-Match: \"4.8.4\""];
    for lines in [&lines[..], &known] {
        let response = http.get_with("/socket.io/socket.io.js", lines).await;
        assert_eq!(response.header("access-control-allow-origin"), Some("http://a.example"));
        assert_eq!(response.headers("vary"), ["Accept-Encoding", "Origin"]);
    }
    http.request("OPTIONS", "/socket.io/socket.io.js", &lines).await;
    let preflight = http.receive("a preflight").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("http://a.example"));
}
