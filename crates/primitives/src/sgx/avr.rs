//! Reports of Intel's attestation service: what it says about a quote, signed.
//!
//! Source: go/common/sgx/ias/avr.go.

use super::{Error, Policy, Quote, Time, json, quote::QUOTE_SIZE, sigstruct::days_in, x509};
use crate::cbor::{Cbor, NilVec};

/// The longest nonce, in bytes.
const MAX_NONCE: usize = 32;

/// The version of the reports.
const VERSION: i64 = 4;

/// A report with what is needed to verify it.
///
/// Source: go/common/sgx/ias/avr.go, `AVRBundle`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct AvrBundle {
    /// The report, JSON.
    pub body: NilVec<u8>,
    /// The signing certificate and its root, percent-encoded PEM.
    pub certificate_chain: NilVec<u8>,
    /// The signature of the body, base64.
    pub signature: NilVec<u8>,
}

impl AvrBundle {
    /// Verifies and reads the report.
    ///
    /// Source: go/common/sgx/ias/avr.go, `AVRBundle.Open`.
    pub fn open(&self, at: Time, policy: &Policy) -> Result<AttestationReport, Error> {
        AttestationReport::decode(&self.body, &self.signature, &self.certificate_chain, at, policy)
    }
}

macro_rules! statuses {
    ($(#[$doc:meta])* $type:ident, $what:literal, $($(#[$each:meta])* $name:ident = $number:literal $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
        #[cbor(transparent)]
        pub struct $type(pub i64);

        impl $type {
            $($(#[$each])* pub const $name: Self = Self($number);)*

            fn from_text(text: &str) -> Result<Self, Error> {
                match text {
                    $($text => Ok(Self::$name),)*
                    _ => Err(Error::new(format!("ias/avr: invalid {}: '{text}'", $what))),
                }
            }
        }
    };
}

statuses! {
    /// What the service thinks of a quote.
    ///
    /// Source: go/common/sgx/ias/avr.go, `ISVEnclaveQuoteStatus`.
    QuoteStatus, "quote status",
    /// Valid, and nothing known against the platform.
    OK = 1 "OK",
    /// The signature is not valid.
    SIGNATURE_INVALID = 2 "SIGNATURE_INVALID",
    /// The group was revoked.
    GROUP_REVOKED = 3 "GROUP_REVOKED",
    /// The signature was revoked.
    SIGNATURE_REVOKED = 4 "SIGNATURE_REVOKED",
    /// The key was revoked.
    KEY_REVOKED = 5 "KEY_REVOKED",
    /// Made with an old list of revoked signatures.
    SIGRL_VERSION_MISMATCH = 6 "SIGRL_VERSION_MISMATCH",
    /// The platform needs an update.
    GROUP_OUT_OF_DATE = 7 "GROUP_OUT_OF_DATE",
    /// The platform needs another configuration.
    CONFIGURATION_NEEDED = 8 "CONFIGURATION_NEEDED",
    /// The enclave needs to be hardened.
    SW_HARDENING_NEEDED = 9 "SW_HARDENING_NEEDED",
    /// Both of these.
    CONFIGURATION_AND_SW_HARDENING_NEEDED = 10 "CONFIGURATION_AND_SW_HARDENING_NEEDED",
}

impl QuoteStatus {
    /// Where the report has none; Go's zero value.
    const MISSING: Self = Self(0);
}

statuses! {
    /// What the service thinks of the platform services' manifest.
    ///
    /// Source: go/common/sgx/ias/avr.go, `PSEManifestStatus`.
    ManifestStatus, "PSE manifest status",
    /// Valid.
    OK = 0 "OK",
    /// Not known.
    UNKNOWN = 1 "UNKNOWN",
    /// Not valid.
    INVALID = 2 "INVALID",
    /// Out of date.
    OUT_OF_DATE = 3 "OUT_OF_DATE",
    /// Revoked.
    REVOKED = 4 "REVOKED",
    /// Made with an old revocation list.
    RL_VERSION_MISMATCH = 5 "RL_VERSION_MISMATCH",
}

/// Why a group was revoked (RFC 5280, section 5.3.1); any number passes.
///
/// Source: go/common/sgx/ias/avr.go, `CRLReason`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Cbor)]
#[cbor(transparent)]
pub struct CrlReason(pub i64);

/// A report.
///
/// Source: go/common/sgx/ias/avr.go, `AttestationVerificationReport`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Cbor)]
pub struct AttestationReport {
    /// The service's number for it.
    pub id: String,
    /// When it was made, UTC without zone.
    pub timestamp: String,
    /// Version, 4.
    pub version: i64,
    /// What the service thinks of the quote.
    #[cbor(rename = "isvEnclaveQuoteStatus")]
    pub isv_enclave_quote_status: QuoteStatus,
    /// The quote without its signature: 432 bytes, or none.
    #[cbor(rename = "isvEnclaveQuoteBody")]
    pub isv_enclave_quote_body: NilVec<u8>,
    /// Why the group was revoked, where it was.
    #[cbor(rename = "revocationReason")]
    pub revocation_reason: Option<CrlReason>,
    /// What the service thinks of the manifest, where one was sent.
    #[cbor(rename = "pseManifestStatus")]
    pub pse_manifest_status: Option<ManifestStatus>,
    /// SHA-256 of the manifest in hexadecimal digits, or empty.
    #[cbor(rename = "pseManifestHash")]
    pub pse_manifest_hash: String,
    /// About the platform, hexadecimal digits.
    #[cbor(rename = "platformInfoBlob")]
    pub platform_info_blob: String,
    /// What the asker sent, at most 32 bytes.
    pub nonce: String,
    /// Links quotes of one platform: 128 bytes, or none.
    #[cbor(rename = "epidPseudonym")]
    pub epid_pseudonym: NilVec<u8>,
    /// Where advisories are.
    #[cbor(rename = "advisoryURL")]
    pub advisory_url: String,
    /// Which ones concern the platform.
    #[cbor(rename = "advisoryIDs")]
    pub advisory_ids: NilVec<String>,
}

const FIELDS: [&str; 13] = [
    "id",
    "timestamp",
    "version",
    "isvEnclaveQuoteStatus",
    "isvEnclaveQuoteBody",
    "revocationReason",
    "pseManifestStatus",
    "pseManifestHash",
    "platformInfoBlob",
    "nonce",
    "epidPseudonym",
    "advisoryURL",
    "advisoryIDs",
];

impl AttestationReport {
    /// Verifies and reads a report: JSON, base64 signature, percent-encoded PEM chain.
    ///
    /// Source: go/common/sgx/ias/avr.go, `DecodeAVR`.
    pub fn decode(body: &[u8], signature: &[u8], chain: &[u8], at: Time, policy: &Policy) -> Result<Self, Error> {
        if !policy.skip_signatures {
            x509::verify_report_signature(body, signature, chain, at)?;
        }
        let report = Self::from_json(body)?;
        report.validate(policy)?;
        Ok(report)
    }

    /// The quote that the report is about.
    pub fn quote(&self) -> Result<Quote, Error> {
        Quote::from_bytes(&self.isv_enclave_quote_body)
    }

    /// Reads a report's JSON: of a key given twice the last value counts, and null changes nothing where Go's zero value is
    /// not nil.
    fn from_json(body: &[u8]) -> Result<Self, Error> {
        let mut out = Self::default();
        let json = json::parse(body)?;
        if json.is_null() {
            return Ok(out);
        }
        for (key, value) in json.members()? {
            let field = FIELDS.iter().find(|f| **f == key).or_else(|| FIELDS.iter().find(|f| json::names(&key, f)));
            if let Some(field) = field {
                out.set(field, value)?;
            }
        }
        Ok(out)
    }

    fn set(&mut self, field: &str, value: json::Value<'_>) -> Result<(), Error> {
        if value.is_null() {
            match field {
                "isvEnclaveQuoteBody" => self.isv_enclave_quote_body = NilVec::NIL,
                "revocationReason" => self.revocation_reason = None,
                "pseManifestStatus" => self.pse_manifest_status = None,
                "epidPseudonym" => self.epid_pseudonym = NilVec::NIL,
                "advisoryIDs" => self.advisory_ids = NilVec::NIL,
                _ => {}
            }
            return Ok(());
        }
        match field {
            "id" => self.id = value.text()?,
            "timestamp" => self.timestamp = value.text()?,
            "version" => self.version = value.integer()?,
            "isvEnclaveQuoteStatus" => self.isv_enclave_quote_status = QuoteStatus::from_text(&value.text()?)?,
            "isvEnclaveQuoteBody" => self.isv_enclave_quote_body = value.bytes(&self.isv_enclave_quote_body)?.into(),
            "revocationReason" => self.revocation_reason = Some(CrlReason(value.integer()?)),
            "pseManifestStatus" => self.pse_manifest_status = Some(ManifestStatus::from_text(&value.text()?)?),
            "pseManifestHash" => self.pse_manifest_hash = value.text()?,
            "platformInfoBlob" => self.platform_info_blob = value.text()?,
            "nonce" => self.nonce = value.text()?,
            "epidPseudonym" => self.epid_pseudonym = value.bytes(&self.epid_pseudonym)?.into(),
            "advisoryURL" => self.advisory_url = value.text()?,
            _ => self.advisory_ids = value.texts(&self.advisory_ids)?.into(),
        }
        Ok(())
    }

    /// Source: go/common/sgx/ias/avr.go, `AttestationVerificationReport.validate`.
    fn validate(&self, policy: &Policy) -> Result<(), Error> {
        let status = self.isv_enclave_quote_status;
        if !is_timestamp(&self.timestamp) {
            return Err(Error::new("ias/avr: invalid timestamp"));
        }
        if self.version != VERSION {
            return Err(Error::new(format!("ias/avr: invalid report version, got: {}, required: {VERSION}", self.version)));
        }
        if status == QuoteStatus::MISSING {
            return Err(Error::new("ias/avr: missing isvEnclaveQuoteStatus"));
        }
        match self.isv_enclave_quote_body.len() {
            0 => {}
            QUOTE_SIZE => self.quote()?.verify(policy)?,
            _ => return Err(Error::new("ias/avr: invalid isvEnclaveQuoteBody length")),
        }
        match (status == QuoteStatus::GROUP_REVOKED, self.revocation_reason) {
            (true, None) => return Err(Error::new("ias/avr: missing revocationReason")),
            (false, Some(_)) => return Err(Error::new("ias/avr: invalid isvEnclaveStatus for revocationReason")),
            _ => {}
        }
        let needs_update = matches!(
            status,
            QuoteStatus::GROUP_OUT_OF_DATE
                | QuoteStatus::CONFIGURATION_NEEDED
                | QuoteStatus::SW_HARDENING_NEEDED
                | QuoteStatus::CONFIGURATION_AND_SW_HARDENING_NEEDED
        );
        if self.pse_manifest_status.is_some() && status != QuoteStatus::OK && !needs_update {
            return Err(Error::new("ias/avr: unexpected pseManifestStatus"));
        }
        let hash = hex::decode(&self.pse_manifest_hash).map_err(|_| Error::new("ias/avr: failed to decode pseManifestHash"))?;
        if !matches!(hash.len(), 0 | 32) {
            return Err(Error::new("ias/avr: invalid pseManifestHash length"));
        }
        let platform = hex::decode(&self.platform_info_blob).map_err(|_| Error::new("ias/avr: failed to decode platformInfoBlob"))?;
        let manifest_outdated = matches!(
            self.pse_manifest_status,
            Some(ManifestStatus::OUT_OF_DATE | ManifestStatus::REVOKED | ManifestStatus::RL_VERSION_MISMATCH)
        );
        if !platform.is_empty() && !needs_update && status != QuoteStatus::GROUP_REVOKED && !manifest_outdated {
            return Err(Error::new("ias/avr: unexpected platformInfoBlob"));
        }
        if self.nonce.len() > MAX_NONCE {
            return Err(Error::new("ias/avr: invalid nonce length"));
        }
        if !matches!(self.epid_pseudonym.len(), 0 | 128) {
            return Err(Error::new("ias/avr: invalid epidPseudonym length"));
        }
        Ok(())
    }
}

/// Whether a text is `yyyy-mm-ddThh:mm:ss` with up to nine digits of a fraction after a point or comma; the hour may have
/// one digit.
///
/// Source: Go 1.17 `time`, `Parse`, with go/common/sgx/ias/avr.go, `TimestampFormat`.
fn is_timestamp(text: &str) -> bool {
    let mut reader = Digits(text.as_bytes());
    let mut parse = || {
        let year = reader.exactly(4)?;
        let month = reader.after(b'-')?.exactly(2)?;
        let day = reader.after(b'-')?.exactly(2)?;
        let hours = reader.after(b'T')?;
        let hour = hours.exactly(2).or_else(|| hours.exactly(1))?;
        let minute = reader.after(b':')?.exactly(2)?;
        let second = reader.after(b':')?.exactly(2)?;
        let in_range = (1..=12).contains(&month) && (1..=days_in(month, year)).contains(&day) && hour < 24 && minute < 60 && second < 60;
        let fraction = match reader.0 {
            [] => true,
            [b'.' | b',', digits @ ..] => (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        (in_range && fraction).then_some(())
    };
    parse().is_some()
}

struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn exactly(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn after(&mut self, separator: u8) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(&[separator])?;
        Some(self)
    }
}
