//! The benchmark contract on socketioxide + axum.
use rmpv::Value;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use std::time::Duration;

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Any number of arguments. socketioxide spreads tuple-like data over the arguments.
struct Args(Vec<Value>);

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Args;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("event arguments")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut s: S) -> Result<Args, S::Error> {
                let mut v = Vec::with_capacity(1);
                while let Some(x) = s.next_element()? {
                    v.push(x);
                }
                Ok(Args(v))
            }
        }
        d.deserialize_tuple(usize::MAX, V)
    }
}

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut t = s.serialize_tuple(self.0.len())?;
        for x in &self.0 {
            t.serialize_element(x)?;
        }
        t.end()
    }
}

/// What `echo-typed` carries.
#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    id: String,
    name: String,
    score: i64,
    tags: Vec<String>,
    urgent: bool,
}

fn env(k: &str, d: u64) -> u64 {
    std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d)
}

async fn serve() {
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_millis(env("PING_INTERVAL", 25000)))
        .ping_timeout(Duration::from_millis(env("PING_TIMEOUT", 20000)))
        .build_layer();

    io.ns("/", async |s: SocketRef| {
        s.on("echo", async |s: SocketRef, Data(a): Data<Args>| {
            s.emit("echo", &a).ok();
        });
        s.on("echo-value", async |s: SocketRef, Data(v): Data<Value>| {
            s.emit("echo-value", &v).ok();
        });
        s.on("echo-typed", async |s: SocketRef, Data(n): Data<Note>| {
            s.emit("echo-typed", &n).ok();
        });
        s.on("ack", async |Data(a): Data<Args>, ack: AckSender| {
            ack.send(&a).ok();
        });
        s.on("join", async |s: SocketRef, Data(room): Data<String>, ack: AckSender| {
            s.join(room);
            ack.send(&Args(vec![])).ok();
        });
        s.on("leave", async |s: SocketRef, Data(room): Data<String>, ack: AckSender| {
            s.leave(room);
            ack.send(&Args(vec![])).ok();
        });
        s.on("room", async |io: SocketIo, Data((room, p)): Data<(String, Value)>| {
            io.to(room).emit("room", &p).await.ok();
        });
        s.on("bcast", async |io: SocketIo, Data(p): Data<Value>| {
            io.emit("bcast", &p).await.ok();
        });
    });

    let app = axum::Router::new().layer(layer);
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], env("PORT", 3000) as u16));
    let sock = tokio::net::TcpSocket::new_v4().unwrap();
    sock.set_reuseaddr(true).unwrap();
    sock.bind(addr).unwrap();
    let l = sock.listen(4096).unwrap();
    println!("ready socketioxide 0.18.9");
    axum::serve(
        axum::serve::ListenerExt::tap_io(l, |s| {
            let _ = s.set_nodelay(true);
        }),
        app,
    )
    .await
    .unwrap();
}

fn main() {
    // RT=current: one thread; otherwise one worker per CPU allowed by the affinity mask.
    let mut b = if std::env::var("RT").as_deref() == Ok("current") {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let rt = b.enable_all().build().unwrap();
    rt.block_on(async { tokio::spawn(serve()).await.unwrap() });
}
