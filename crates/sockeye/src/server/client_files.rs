use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, request};

use crate::engine::ResponseBody;

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

/// The official browser bundle, read from a directory such as `socket.io/client-dist` of the npm
/// package, and kept in memory.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    files: Arc<[(&'static str, Bytes)]>,
    etag: HeaderValue,
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
                Ok(content) => files.push((name, Bytes::from(content))),
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != NAMES[0] => {}
                Err(error) => return Err(error),
            }
        }
        let etag = etag_of(&files[0].1);
        Ok(Self { files: files.into(), etag })
    }

    /// Answers a request for one of the files; `rest` is what stands behind the server's path.
    pub(super) fn respond(
        &self,
        request: &request::Parts,
        rest: &str,
    ) -> Option<Response<ResponseBody>> {
        let (name, content) = self.files.iter().find(|(name, _)| *name == rest)?;
        if self.is_known(&request.headers) {
            let mut response = Response::new(ResponseBody::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        let body = if request.method == Method::HEAD { Bytes::new() } else { content.clone() };
        let mut response = Response::new(ResponseBody::full(body));
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
        headers.insert(CONTENT_TYPE, content_type(name));
        headers.insert(ETAG, self.etag.clone());
        Some(response)
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get(IF_NONE_MATCH).map(HeaderValue::as_bytes);
        known
            .is_some_and(|known| known.strip_prefix(b"W/").unwrap_or(known) == self.etag.as_bytes())
    }
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
