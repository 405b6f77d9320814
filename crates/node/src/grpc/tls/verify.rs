//! Both ends check the other's certificate by its key.

use std::sync::Arc;

use oasis_primitives::signature::PublicKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::certificate::check_certificate;

/// Takes a certificate with one of these keys, and nothing else.
#[derive(Debug)]
pub(super) struct ByKey {
    pub keys: Vec<PublicKey>,
    /// The common name that it must have.
    pub name: &'static str,
    pub provider: Arc<CryptoProvider>,
}

impl ByKey {
    fn check(&self, end: &CertificateDer<'_>, further: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let chain: Vec<&[u8]> = std::iter::once(end).chain(further).map(|der| &**der).collect();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        check_certificate(&chain, &self.keys, self.name, now).map(drop).map_err(|e| Error::General(e.to_string()))
    }
}

/// What is the same for both ends: TLS 1.3 with Ed25519.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("expected TLS 1.3".to_owned()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    };
}

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        further: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end, further, now).map(|()| ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for ByKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        further: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end, further, now).map(|()| ClientCertVerified::assertion())
    }

    signatures!();
}
