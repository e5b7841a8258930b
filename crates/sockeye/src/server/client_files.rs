use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, request};
use tokio::sync::OnceCell;

use crate::engine::{Coding, ResponseBody, compress_for_keeps};

/// The files of the official browser bundle, and no others: the names are asked for by strangers.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// The codings of files, in the order of their worth: each is made once, so the smallest goes first.
const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Deflate];

/// The official browser bundle, read from a directory such as `socket.io/client-dist` of the npm
/// package, and kept in memory: as it is, and compressed, from the first client on that wants it
/// so.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    files: Arc<[File]>,
    etag: HeaderValue,
}

#[derive(Debug)]
struct File {
    name: &'static str,
    content: Bytes,
    /// In the order of [`CODINGS`]; a `None` in one says that it does not get smaller.
    compressed: [OnceCell<Option<Bytes>>; CODINGS.len()],
}

impl ClientFiles {
    /// Reads the files that are there. The version for the ETag is found in the bundle itself.
    ///
    /// # Errors
    /// If `socket.io.js` is not in the directory, or a file cannot be read.
    pub fn read(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref();
        let mut files = Vec::new();
        for name in NAMES {
            match std::fs::read(directory.join(name)) {
                Ok(content) => files.push(File::new(name, content.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != NAMES[0] => {}
                Err(error) => return Err(error),
            }
        }
        let etag = etag_of(&files[0].content);
        Ok(Self { files: files.into(), etag })
    }

    /// Answers a request for one of the files; `rest` is what stands behind the server's path and a
    /// slash.
    pub(super) async fn respond(
        &self,
        request: &request::Parts,
        rest: &str,
    ) -> Option<Response<ResponseBody>> {
        let file = self.files.iter().find(|file| file.name == rest)?;
        let mut response = if self.is_known(&request.headers) {
            let mut response = Response::new(ResponseBody::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            file.respond(request).await
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        headers.insert(ETAG, self.etag.clone());
        // Not so the reference; a shared cache would hand one client what another one takes.
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        Some(response)
    }

    /// Whether the client has this version, under a strong or a weak tag.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
        lists.flat_map(|list| list.split(',')).map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes()
        })
    }
}

impl File {
    fn new(name: &'static str, content: Bytes) -> Self {
        Self { name, content, compressed: Default::default() }
    }

    async fn respond(&self, request: &request::Parts) -> Response<ResponseBody> {
        let (body, coding) = self.body(&request.headers).await;
        let length = HeaderValue::from(body.len());
        let body = if request.method == Method::HEAD { Bytes::new() } else { body };
        let mut response = Response::new(ResponseBody::full(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type(self.name));
        headers.insert(CONTENT_LENGTH, length);
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding.header());
        }
        response
    }

    /// The file in the coding that the client wants.
    async fn body(&self, request: &HeaderMap) -> (Bytes, Option<Coding>) {
        let coding = Coding::negotiate(request, &CODINGS);
        let kept = self.compressed.iter().zip(CODINGS).find(|(_, it)| Some(*it) == coding);
        if let Some((kept, coding)) = kept
            && let Some(body) = kept.get_or_init(|| compress(coding, self.content.clone())).await
        {
            return (body.clone(), Some(coding));
        }
        (self.content.clone(), None)
    }
}

/// It takes a while, so it must keep nobody else waiting.
async fn compress(coding: Coding, content: Bytes) -> Option<Bytes> {
    let compress = move || {
        let compressed = compress_for_keeps(coding, &content)?;
        (compressed.len() < content.len()).then(|| compressed.into())
    };
    tokio::task::spawn_blocking(compress).await.ok()?
}

fn content_type(name: &str) -> HeaderValue {
    let is_map = Path::new(name).extension().is_some_and(|extension| extension == "map");
    HeaderValue::from_static(if is_map {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    })
}

/// The quoted version, which the bundle's first comment names; without one, the bundle's length.
fn etag_of(bundle: &[u8]) -> HeaderValue {
    let head = String::from_utf8_lossy(bundle.get(..200).unwrap_or(bundle));
    let version = head.split_once("Socket.IO v").map(|(_, rest)| {
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            .collect::<String>()
    });
    let version = version.unwrap_or_else(|| bundle.len().to_string());
    HeaderValue::from_str(&format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"sockeye\""))
}
