use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::super::tls::{TlsOptions, TlsOptionsError};
use super::*;

/// An authority, and certificates that it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        // Authorities are told apart by their names.
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server with a certificate for a name; it asks clients for one if that is wanted.
    fn acceptor(&self, name: &str, ask: bool) -> TlsAcceptor {
        let (certificate, key) = self.certify(name);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if ask {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
    }
}

async fn serve(acceptor: TlsAcceptor, body: &'static str) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(answer("200 OK", "", body).as_bytes()).await?;
                    stream.flush().await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    address
}

/// A server for `localhost`, and options that trust it.
pub(super) async fn server(body: &'static str) -> (SocketAddr, TlsOptions) {
    let authority = Authority::new();
    let address = serve(authority.acceptor("localhost", false), body).await;
    (address, TlsOptions::new().root_certificates(authority.pem()).unwrap())
}

/// Takes TLS off connections for `localhost`, and passes them on; and options that trust it.
pub(super) async fn relay(server: SocketAddr) -> (SocketAddr, TlsOptions) {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", false);
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut server = tokio::net::TcpStream::connect(server).await?;
                splice(&mut stream, &mut server).await;
                std::io::Result::Ok(())
            });
        }
    });
    (address, TlsOptions::new().root_certificates(authority.pem()).unwrap())
}

/// The certificate of an authority that has signed nothing.
pub(super) fn somebodys_certificate() -> String {
    Authority::new().pem()
}

async fn get(address: SocketAddr, host: &str, tls: TlsOptions) -> Result<Vec<u8>, TransportCause> {
    let url = format!("https://{host}:{}", address.port());
    let client = client(&url, ConnectOptions::new().tls(tls));
    within("an answer", client.get(format!("{url}/"))).await
}

#[track_caller]
fn expect_tls_error(result: Result<Vec<u8>, TransportCause>, text: &str) {
    match result {
        Err(TransportCause::Tls(told)) => assert!(told.contains(text), "{told}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_authority_that_was_given_is_trusted_and_no_other() {
    let (address, trusting) = server("hello").await;
    assert_eq!(get(address, "localhost", trusting.clone()).await, Ok(b"hello".to_vec()));
    let nobody = "signed by nobody who is trusted";
    let other = TlsOptions::new().root_certificates(Authority::new().pem()).unwrap();
    expect_tls_error(get(address, "localhost", other.clone()).await, nobody);
    let both = other.root_certificates(Authority::new().pem()).unwrap();
    expect_tls_error(get(address, "localhost", both).await, nobody);
    let more = trusting.also_system_roots(true);
    assert_eq!(get(address, "localhost", more).await, Ok(b"hello".to_vec()));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, trusting) = server("hello").await;
    let error = get(address, "127.0.0.1", trusting).await;
    expect_tls_error(error.clone(), "another server's");
    expect_tls_error(error, "localhost");
}

#[tokio::test]
async fn any_certificate_is_accepted_if_that_was_asked_for() {
    let (address, _) = server("hello").await;
    let careless = TlsOptions::new().danger_accept_invalid_certificates(true);
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(get(address, host, careless.clone()).await, Ok(b"hello".to_vec()));
    }
    let careful = careless.danger_accept_invalid_certificates(false);
    let error = get(address, "localhost", careful).await;
    // Where a system has no authorities at all, it says that.
    assert!(matches!(error, Err(TransportCause::Tls(_))) || error.is_err(), "{error:?}");
}

#[tokio::test]
async fn a_client_can_show_a_certificate() {
    let authority = Authority::new();
    let address = serve(authority.acceptor("localhost", true), "hello").await;
    let trusting = TlsOptions::new().root_certificates(authority.pem()).unwrap();
    let anonymous = get(address, "localhost", trusting.clone()).await;
    expect_tls_error(anonymous, "the server has refused");
    let (certificate, key) = authority.certify("somebody");
    let known = trusting.identity(certificate + &key).unwrap();
    assert_eq!(get(address, "localhost", known).await, Ok(b"hello".to_vec()));
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_recognized() {
    let (listener, silent) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_u8().await.unwrap();
    });
    let any = TlsOptions::new().danger_accept_invalid_certificates(true);
    expect_tls_error(get(silent, "localhost", any).await, "does not speak TLS");
    // And one that speaks it where nobody expects that.
    let (encrypted, _) = server("").await;
    let url = format!("http://{encrypted}");
    let result = within("an answer", client(&url, ConnectOptions::new()).get(url.clone())).await;
    assert!(matches!(result, Err(TransportCause::Lost(_))), "{result:?}");
}

#[test]
fn what_cannot_be_used_is_refused_at_once() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("somebody");
    let (_, other_key) = authority.certify("other");
    let of = |result: Result<TlsOptions, TlsOptionsError>| result.unwrap_err().to_string();
    assert!(of(TlsOptions::new().root_certificates("")).contains("no certificate"));
    assert!(of(TlsOptions::new().root_certificates(&key)).contains("no certificate"));
    let broken = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    assert!(!of(TlsOptions::new().root_certificates(broken)).is_empty());
    assert!(!of(TlsOptions::new().identity(&certificate)).is_empty());
    assert!(!of(TlsOptions::new().identity(certificate.clone() + &other_key)).is_empty());
    let known = TlsOptions::new().identity(certificate + &key).unwrap();
    assert!(format!("{known:?}").contains("identity: true"));
}
