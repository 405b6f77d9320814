//! Enclave quotes: what an enclave is, and data it vouches for.
//!
//! Source: go/common/sgx/ias/quote.go.

use std::collections::BTreeSet;

use super::{Error, MrEnclave, MrSigner};
use crate::cbor::{Encode, Encoder};

/// The size of a quote without its signature, in bytes.
pub(super) const QUOTE_SIZE: usize = 432;

/// What a node lets pass; the same for its whole life. The default is the one for production.
///
/// Source: go/common/sgx/ias/avr.go, `SetSkipVerify`, `SetAllowDebugEnclaves`, `BuildMrSignerBlacklist`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether signatures of reports are not checked.
    pub skip_signatures: bool,
    /// Whether enclaves must be debug enclaves, instead of must not.
    pub debug_enclaves: bool,
    /// Signers whose enclaves are refused.
    pub blacklist: BTreeSet<MrSigner>,
}

impl Policy {
    /// The rules of a node that accepts test keys or does not.
    pub fn new(allow_test_keys: bool) -> Self {
        let blacklist = if allow_test_keys { BTreeSet::new() } else { BTreeSet::from([MrSigner::FORTANIX_DUMMY]) };
        Self { skip_signatures: false, debug_enclaves: false, blacklist }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(false)
    }
}

/// Attributes of an enclave.
///
/// Source: go/common/sgx/common.go, `Attributes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Flags, of which [`Attributes::DEBUG`] is one.
    pub flags: u64,
    /// Extended processor features.
    pub xfrm: u64,
}

impl Attributes {
    /// The flag of an enclave whose memory a debugger can read.
    pub const DEBUG: u64 = 2;

    /// Whether this is a debug enclave.
    pub fn is_debug(self) -> bool {
        self.flags & Self::DEBUG != 0
    }
}

/// The first part of a quote.
///
/// Source: go/common/sgx/ias/quote.go, `Body`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuoteBody {
    /// Version, 1 or 2.
    pub version: u16,
    /// Kind of the signature: 0 unlinkable, 1 linkable.
    pub signature_type: u16,
    /// EPID group.
    pub gid: u32,
    /// Security version of the quoting enclave.
    pub isv_svn_qe: u16,
    /// Security version of the provisioning certification enclave; 0 in version 1.
    pub isv_svn_pce: u16,
    /// Name that linkable signatures are linked by.
    pub basename: [u8; 32],
}

/// The enclave's report, the second part of a quote.
///
/// Source: go/common/sgx/ias/quote.go, `Report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Security version of the processor.
    pub cpu_svn: [u8; 16],
    /// Extended features.
    pub misc_select: u32,
    /// Attributes.
    pub attributes: Attributes,
    /// The enclave.
    pub mr_enclave: MrEnclave,
    /// Its signer.
    pub mr_signer: MrSigner,
    /// Product number.
    pub isv_prod_id: u16,
    /// Security version.
    pub isv_svn: u16,
    /// What the enclave vouches for.
    pub report_data: [u8; 64],
}

/// An enclave quote without its signature.
///
/// Source: go/common/sgx/ias/quote.go, `Quote`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// About the quote.
    pub body: QuoteBody,
    /// About the enclave.
    pub report: Report,
}

fn at<const N: usize>(bytes: &[u8; QUOTE_SIZE], offset: usize) -> Result<[u8; N], Error> {
    let short = || Error::new("ias/quote: invalid quote body length");
    let end = offset.checked_add(N).ok_or_else(short)?;
    bytes.get(offset..end).and_then(|b| b.try_into().ok()).ok_or_else(short)
}

impl Quote {
    /// Reads the first 432 bytes; what follows, such as a signature, is not looked at, nor are reserved bytes.
    ///
    /// Source: go/common/sgx/ias/quote.go, `Quote.UnmarshalBinary`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let Some(b) = bytes.first_chunk::<QUOTE_SIZE>() else { return Err(Error::new("ias/quote: invalid quote body length")) };
        let body = QuoteBody {
            version: u16::from_le_bytes(at(b, 0)?),
            signature_type: u16::from_le_bytes(at(b, 2)?),
            gid: u32::from_le_bytes(at(b, 4)?),
            isv_svn_qe: u16::from_le_bytes(at(b, 8)?),
            isv_svn_pce: u16::from_le_bytes(at(b, 10)?),
            basename: at(b, 16)?,
        };
        if !matches!(body.version, 1 | 2) {
            return Err(Error::new(format!("ias/quote: unsupported version: {}", body.version)));
        }
        if body.signature_type > 1 {
            return Err(Error::new(format!("ias/quote: invalid signature type: {:04x}", body.signature_type)));
        }
        if body.version < 2 && body.isv_svn_pce != 0 {
            return Err(Error::new("ias/quote: ISVSVN_PCE set for version < 2"));
        }
        let report = Report {
            cpu_svn: at(b, 48)?,
            misc_select: u32::from_le_bytes(at(b, 64)?),
            attributes: Attributes { flags: u64::from_le_bytes(at(b, 96)?), xfrm: u64::from_le_bytes(at(b, 104)?) },
            mr_enclave: MrEnclave(at(b, 112)?),
            mr_signer: MrSigner(at(b, 176)?),
            isv_prod_id: u16::from_le_bytes(at(b, 304)?),
            isv_svn: u16::from_le_bytes(at(b, 306)?),
            report_data: at(b, 368)?,
        };
        Ok(Self { body, report })
    }

    /// The 432 bytes, reserved ones zero.
    ///
    /// Source: go/common/sgx/ias/quote.go, `Quote.MarshalBinary`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (b, r) = (&self.body, &self.report);
        [
            &b.version.to_le_bytes()[..],
            &b.signature_type.to_le_bytes(),
            &b.gid.to_le_bytes(),
            &b.isv_svn_qe.to_le_bytes(),
            &b.isv_svn_pce.to_le_bytes(),
            &[0; 4],
            &b.basename,
            &r.cpu_svn,
            &r.misc_select.to_le_bytes(),
            &[0; 28],
            &r.attributes.flags.to_le_bytes(),
            &r.attributes.xfrm.to_le_bytes(),
            &r.mr_enclave.0,
            &[0; 32],
            &r.mr_signer.0,
            &[0; 96],
            &r.isv_prod_id.to_le_bytes(),
            &r.isv_svn.to_le_bytes(),
            &[0; 60],
            &r.report_data,
        ]
        .concat()
    }

    /// Checks the signer against the blacklist, and that the enclave is a debug one exactly where those are wanted.
    ///
    /// Source: go/common/sgx/ias/quote.go, `Quote.Verify`.
    pub fn verify(&self, policy: &Policy) -> Result<(), Error> {
        if policy.blacklist.contains(&self.report.mr_signer) {
            return Err(Error::new("ias/quote: blacklisted MRSIGNER"));
        }
        match (self.report.attributes.is_debug(), policy.debug_enclaves) {
            (true, false) => Err(Error::new("ias/avr: disallowed debug enclave since we are in production mode")),
            (false, true) => Err(Error::new("ias/avr: disallowed production enclave since we are in debug mode")),
            _ => Ok(()),
        }
    }
}

impl Encode for Quote {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.to_bytes());
    }
}
