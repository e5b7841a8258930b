use super::super::proxy::Proxy;
use super::*;

/// A proxy that speaks HTTP: tunnels, and forwards what is not encrypted.
pub(super) async fn http_proxy() -> (SocketAddr, Requests) {
    let (listener, address) = listener().await;
    let requests = Requests::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let request = read_request(&mut stream).await.expect("a request");
                seen.0.lock().push(request.clone());
                let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
                if header(&request, "proxy-authorization") == Some("Basic bm9ib2R5Og==") {
                    let refusal = answer("407 Proxy Authentication Required", "", "");
                    stream.write_all(refusal.as_bytes()).await.unwrap();
                    return;
                }
                let Some(rest) = target.strip_prefix("http://") else {
                    let mut server = tokio::net::TcpStream::connect(&target).await.unwrap();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    return splice(&mut stream, &mut server).await;
                };
                let (host, path) = rest.split_at(rest.find('/').unwrap());
                let mut server = tokio::net::TcpStream::connect(host).await.unwrap();
                server.write_all(request.replacen(&target, path, 1).as_bytes()).await.unwrap();
                splice(&mut stream, &mut server).await;
            });
        }
    });
    (address, requests)
}

/// A proxy that speaks SOCKS 5, with a password if there is one: what it was asked to connect to.
pub(super) async fn socks_proxy(
    server: SocketAddr,
    password: Option<&'static str>,
) -> (SocketAddr, Requests) {
    let (listener, address) = listener().await;
    let requests = Requests::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let asked = socks_handshake(&mut stream, password).await?;
                seen.0.lock().push(asked);
                let mut server = tokio::net::TcpStream::connect(server).await?;
                splice(&mut stream, &mut server).await;
                std::io::Result::Ok(())
            });
        }
    });
    (address, requests)
}

/// RFC 1928 and RFC 1929, as far as they are needed.
async fn socks_handshake(
    stream: &mut tokio::net::TcpStream,
    password: Option<&str>,
) -> std::io::Result<String> {
    let mut methods = vec![0; 2];
    stream.read_exact(&mut methods).await?;
    methods.resize(usize::from(methods[1]), 0);
    stream.read_exact(&mut methods).await?;
    stream.write_all(&[5, if password.is_some() { 2 } else { 0 }]).await?;
    if let Some(password) = password {
        let _version = stream.read_u8().await?;
        let mut texts = Vec::new();
        for _ in 0..2 {
            let mut text = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut text).await?;
            texts.push(String::from_utf8_lossy(&text).into_owned());
        }
        let is_right = texts.join(":") == password;
        stream.write_all(&[1, u8::from(!is_right)]).await?;
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => format!("{:?}", stream.read_u32().await?.to_be_bytes()),
        _ => {
            let mut name = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
    };
    let port = stream.read_u16().await?;
    stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await?;
    Ok(format!("{host}:{port}"))
}

async fn get(url: &str, proxy: Proxy) -> Result<Vec<u8>, TransportCause> {
    let client = client(url, ConnectOptions::new().proxy(proxy));
    within("an answer", client.get(format!("{url}/a"))).await
}

#[tokio::test]
async fn an_http_proxy_forwards_what_is_not_encrypted() {
    let (server, _) = answering(&[&answer("200 OK", "", "hello")]).await;
    let (proxy, requests) = http_proxy().await;
    let proxy = Proxy::new(format!("http://{proxy}")).unwrap().basic_auth("user", "secret");
    assert_eq!(get(&format!("http://{server}"), proxy).await, Ok(b"hello".to_vec()));
    let [request] = requests.all().try_into().unwrap();
    assert!(request.starts_with(&format!("GET http://{server}/a HTTP/1.1\r\n")), "{request}");
    assert_eq!(header(&request, "proxy-authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
}

#[tokio::test]
async fn an_http_proxy_tunnels_what_is_encrypted() {
    let (server, options) = tls::server("hello").await;
    let (proxy, requests) = http_proxy().await;
    let proxy = Proxy::new(format!("http://{proxy}")).unwrap();
    let url = format!("https://localhost:{}", server.port());
    let client = client(&url, ConnectOptions::new().proxy(proxy.clone()).tls(options));
    let body = within("an answer", client.clone().get(format!("{url}/a"))).await;
    assert_eq!(body, Ok(b"hello".to_vec()));
    let [request] = requests.all().try_into().unwrap();
    assert!(request.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", server.port())));

    let error = get(&url, proxy.basic_auth("nobody", "")).await.unwrap_err();
    assert!(
        matches!(&error, TransportCause::Proxy(text) if text.contains("authorization")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_socks_proxy_gets_the_name_or_the_address() {
    let (server, _) = answering(&vec![answer("200 OK", "", "hello"); 3]).await;
    let port = server.port();
    for (scheme, host, password, asked) in [
        ("socks5h", "name.invalid", None, "name.invalid".to_owned()),
        ("socks5", "127.0.0.1", None, "[127, 0, 0, 1]".to_owned()),
        ("socks5h", "name.invalid", Some("user:secret"), "name.invalid".to_owned()),
    ] {
        let (proxy, requests) = socks_proxy(server, password).await;
        let mut proxy = Proxy::new(format!("{scheme}://{proxy}")).unwrap();
        if password.is_some() {
            proxy = proxy.basic_auth("user", "secret");
        }
        assert_eq!(get(&format!("http://{host}:{port}"), proxy).await, Ok(b"hello".to_vec()));
        assert_eq!(requests.all(), [format!("{asked}:{port}")]);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_refuses_is_named_as_such() {
    let (_held, address) = closed_port();
    for scheme in ["http", "socks5"] {
        let proxy = Proxy::new(format!("{scheme}://{address}")).unwrap();
        let error = get("http://127.0.0.1:9", proxy).await.unwrap_err();
        let (connect, proxy) = (
            matches!(error, TransportCause::Connect(..)),
            matches!(error, TransportCause::Proxy(_)),
        );
        assert!(if scheme == "http" { connect } else { proxy }, "{scheme}: {error:?}");
    }
    let (proxy, _) = socks_proxy(address, Some("user:secret")).await;
    let proxy = Proxy::new(format!("socks5://{proxy}")).unwrap().basic_auth("user", "wrong");
    let error = get("http://127.0.0.1:9", proxy).await.unwrap_err();
    assert!(matches!(error, TransportCause::Proxy(_)), "{error:?}");
}
