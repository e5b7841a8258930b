//! Against servers of a few lines, which say what a test needs, also what no server should.

mod ending;
mod flowing;
mod http;
mod opening;
mod peer;
mod proxy;
mod tls;
mod upgrading;

use std::collections::VecDeque;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::dialer::Dialer;
use super::error::TransportCause;
use super::http::HttpClient;
use super::options::ConnectOptions;
use super::target::Target;

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future`, but not for ever.
#[track_caller]
fn within<F: Future>(what: impl Display, future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let output = tokio::time::timeout(PATIENCE, future).await;
        output.unwrap_or_else(|_| panic!("{place}: awaited {what}; nothing within {PATIENCE:?}"))
    }
}

/// A client of the server at a URL.
fn client(url: &str, options: ConnectOptions) -> HttpClient {
    dialer(url, options).client().expect("nothing is wrong with the options")
}

fn dialer(url: &str, options: ConnectOptions) -> Dialer {
    Dialer::new(Target::parse(url).expect("a URL"), Arc::new(options))
}

/// Where a port of loopback is that is free.
async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// A port that takes no connections, and is nobody else's meanwhile.
fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// What was asked of a server: request line, headers and body of each request.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// Answers the requests of any number of connections, each with the next of `answers`; then hangs up.
async fn answering(answers: &[impl AsRef<str>]) -> (SocketAddr, Requests) {
    let (listener, address) = listener().await;
    let requests = Requests::default();
    let seen = requests.clone();
    let answers: VecDeque<_> = answers.iter().map(|it| it.as_ref().to_owned()).collect();
    let answers = Arc::new(Mutex::new(answers));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (seen, answers) = (seen.clone(), Arc::clone(&answers));
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut stream).await {
                    seen.0.lock().push(request);
                    let answer = answers.lock().pop_front();
                    let Some(answer) = answer else { return };
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, requests)
}

/// A request with its body; `None` if the client hung up.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut text = String::from_utf8(head).ok()?;
    let length = header(&text, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}

/// The value of a header.
fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An answer with a body.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Copies both ways until both are done.
async fn splice(
    a: &mut (impl AsyncRead + AsyncWrite + Unpin),
    b: &mut (impl AsyncRead + AsyncWrite + Unpin),
) {
    let _ = tokio::io::copy_bidirectional(a, b).await;
}

fn status(cause: &TransportCause) -> Option<u16> {
    match cause {
        TransportCause::Status { status, .. } => Some(*status),
        _ => None,
    }
}
