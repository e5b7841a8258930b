//! Encrypted connections: whom to trust, and how to show who one is. The only file that names rustls.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

/// What an HTTP client is made with.
pub(super) type Config = ClientConfig;

/// Whom to trust, and how to show who one is, where a connection is encrypted (C-013).
///
/// What is made of it is kept, and shared by its clones.
#[derive(Clone, Default)]
pub struct TlsOptions {
    roots: Vec<CertificateDer<'static>>,
    also_system_roots: bool,
    identity: Option<Arc<SingleCertAndKey>>,
    accept_invalid: bool,
    config: Arc<OnceLock<Config>>,
}

impl TlsOptions {
    /// Trusts whom the system trusts, and shows no certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Certificates of authorities to trust, in PEM, in the place of the system's; more of them with
    /// each call. A self-signed certificate is its own authority.
    ///
    /// # Errors
    /// If there is no certificate in it, or a broken one.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Result<Self, TlsOptionsError> {
        let certificates = certificates(pem.as_ref())?;
        // One that cannot be used shows itself here, not when a connection is opened.
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            store.add(certificate.clone()).map_err(TlsOptionsError::of)?;
        }
        self.roots.extend(certificates);
        Ok(self.changed())
    }

    /// Whether the system's authorities are trusted beside those that were given. Default false.
    #[must_use]
    pub fn also_system_roots(mut self, trusted: bool) -> Self {
        self.also_system_roots = trusted;
        self.changed()
    }

    /// A certificate to show to servers that ask for one, with its chain, and its key, which must not
    /// be encrypted: all in one text of PEM. Default: none.
    ///
    /// # Errors
    /// If one of them is missing or broken, or if they do not belong together.
    pub fn identity(mut self, pem: impl AsRef<[u8]>) -> Result<Self, TlsOptionsError> {
        let chain = certificates(pem.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_ref()).map_err(TlsOptionsError::of)?;
        let certified =
            CertifiedKey::from_der(chain, key, &provider()).map_err(TlsOptionsError::of)?;
        self.identity = Some(Arc::new(SingleCertAndKey::from(certified)));
        Ok(self.changed())
    }

    /// Whether any certificate is accepted, of whatever server, expired or self-signed. Default false
    /// (the reference's `rejectUnauthorized: false`).
    ///
    /// **Whoever is on the way can then read and change everything.** It is for tests; where a
    /// server has a self-signed certificate, [`root_certificates`](Self::root_certificates) with it
    /// is as easy, and safe.
    #[must_use]
    pub fn danger_accept_invalid_certificates(mut self, accept: bool) -> Self {
        self.accept_invalid = accept;
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.config = Arc::default();
        self
    }

    /// What an HTTP client is made with. The system's authorities are read when they are first needed,
    /// once in a process.
    pub(super) fn config(&self) -> Result<Config, TlsOptionsError> {
        let is_plain = self.roots.is_empty() && self.identity.is_none() && !self.accept_invalid;
        let kept = if is_plain { &SYSTEM_CONFIG } else { &*self.config };
        if let Some(config) = kept.get() {
            return Ok(config.clone());
        }
        let verifier = self.verifier()?;
        let made = config_with(verifier, self.identity.clone())?;
        Ok(kept.get_or_init(|| made).clone())
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsOptionsError> {
        if self.accept_invalid {
            return Ok(Arc::new(Unverified { accepted: true }));
        }
        if self.roots.is_empty() {
            return system_verifier();
        }
        if self.also_system_roots {
            let both = Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider());
            return Ok(Arc::new(both.map_err(TlsOptionsError::of)?));
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(self.roots.iter().cloned());
        webpki(store)
    }
}

/// Shows no key.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("root_certificates", &self.roots.len())
            .field("also_system_roots", &self.also_system_roots)
            .field("identity", &self.identity.is_some())
            .field("danger_accept_invalid_certificates", &self.accept_invalid)
            .finish()
    }
}

/// Certificates or a key that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptionsError(Box<str>);

impl TlsOptionsError {
    fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string().into())
    }
}

impl fmt::Display for TlsOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsOptionsError {}

/// For connections that are not encrypted: an HTTP client is made with one anyway. It trusts nobody.
pub(super) fn unused_config() -> Result<Config, TlsOptionsError> {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let nobody = config_with(Arc::new(Unverified { accepted: false }), None)?;
    Ok(CONFIG.get_or_init(|| nobody).clone())
}

static SYSTEM_CONFIG: OnceLock<Config> = OnceLock::new();

fn system_verifier() -> Result<Arc<dyn ServerCertVerifier>, TlsOptionsError> {
    static VERIFIER: Mutex<Option<Arc<Verifier>>> = Mutex::new(None);
    let mut kept = VERIFIER.lock();
    if let Some(verifier) = &*kept {
        return Ok(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>);
    }
    let verifier = Arc::new(Verifier::new(provider()).map_err(TlsOptionsError::of)?);
    *kept = Some(Arc::clone(&verifier));
    Ok(verifier)
}

fn config_with(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<Arc<SingleCertAndKey>>,
) -> Result<Config, TlsOptionsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsOptionsError::of)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => {
            builder.with_client_cert_resolver(identity as Arc<dyn ResolvesClientCert>)
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn webpki(store: RootCertStore) -> Result<Arc<dyn ServerCertVerifier>, TlsOptionsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
    let verifier = verifier.build().map_err(TlsOptionsError::of)?;
    Ok(verifier)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsOptionsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(TlsOptionsError::of)?;
    if found.is_empty() {
        return Err(TlsOptionsError::of("there is no certificate in this PEM"));
    }
    Ok(found)
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// Accepts every certificate, or none; what is signed must be signed with its key anyway.
#[derive(Debug)]
struct Unverified {
    accepted: bool,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refused = rustls::Error::from(CertificateError::UnknownIssuer);
        if self.accepted { Ok(ServerCertVerified::assertion()) } else { Err(refused) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = provider();
        let algorithms = &provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = provider();
        let algorithms = &provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What TLS has to do with an error, in words.
pub(super) fn explain(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(describe(error));
        }
        // An `io::Error` names the source of what is in it, not what is in it.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map_or_else(|| error.source(), |inner| Some(inner as &(dyn Error + 'static)));
    }
    None
}

fn describe(error: &rustls::Error) -> String {
    use CertificateError as Invalid;
    match error {
        rustls::Error::InvalidCertificate(Invalid::UnknownIssuer) => {
            "the server's certificate is signed by nobody who is trusted".to_owned()
        }
        rustls::Error::InvalidCertificate(
            Invalid::NotValidForName | Invalid::NotValidForNameContext { .. },
        ) => format!("the server's certificate is another server's: {error}"),
        rustls::Error::InvalidCertificate(Invalid::Expired | Invalid::ExpiredContext { .. }) => {
            format!("the server's certificate has expired: {error}")
        }
        rustls::Error::InvalidMessage(_) => format!("the server does not speak TLS: {error}"),
        rustls::Error::AlertReceived(_) => format!("the server has refused: {error}"),
        _ => error.to_string(),
    }
}
