//! The signature structure of an enclave (SIGSTRUCT).
//!
//! Source: go/common/sgx/sigstruct/sigstruct.go.

use num_bigint::BigUint;

use super::{Attributes, Error, MODULUS_BYTES, MrEnclave, MrSigner, rsa::RsaPublicKey};

/// The size of a signature structure, in bytes.
pub const SIGSTRUCT_SIZE: usize = 1808;

/// A verified signature structure: the fields in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sigstruct {
    /// The signer's modulus, 3072 bits.
    pub modulus: BigUint,
    /// Year, month and day of the build.
    pub build_date: (u16, u8, u8),
    /// Bytes that the signer defines.
    pub sw_defined: [u8; 4],
    /// Extended features of the enclave.
    pub misc_select: u32,
    /// Which of those must be as given.
    pub misc_select_mask: u32,
    /// Attributes of the enclave.
    pub attributes: Attributes,
    /// Which of those must be as given: flags and extended features.
    pub attributes_mask: [u64; 2],
    /// The enclave.
    pub enclave_hash: MrEnclave,
    /// Product number.
    pub isv_prod_id: u16,
    /// Security version.
    pub isv_svn: u16,
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], Error> {
    let short = || Error::new("sgx/sigstruct: too short");
    let end = offset.checked_add(N).ok_or_else(short)?;
    bytes.get(offset..end).and_then(|b| b.try_into().ok()).ok_or_else(short)
}

impl Sigstruct {
    /// Verifies a signature structure. The reserved bytes after the security version are not looked at.
    ///
    /// Source: go/common/sgx/sigstruct/sigstruct.go, `Verify`.
    pub fn verify(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != SIGSTRUCT_SIZE {
            return Err(Error::new(format!("sgx/sigstruct: buffer is not {SIGSTRUCT_SIZE} bytes: {}", bytes.len())));
        }
        let modulus = BigUint::from_bytes_le(&at::<MODULUS_BYTES>(bytes, 128)?);
        if modulus.bits() != 3072 {
            return Err(Error::new(format!("sgx/sigstruct: public key modulus is not 3072 bits: {}", modulus.bits())));
        }
        let exponent = u32::from_le_bytes(at(bytes, 512)?);
        if exponent != 3 {
            return Err(Error::new(format!("sgx/sigstruct: public key exponent is not 3: {exponent}")));
        }
        let mut signature = at::<MODULUS_BYTES>(bytes, 516)?;
        let value = BigUint::from_bytes_le(&signature);
        signature.reverse();
        let covered = [at::<128>(bytes, 0)?.to_vec(), at::<128>(bytes, 900)?.to_vec()];
        let key = RsaPublicKey { modulus, exponent };
        if !key.verify_sha256(&[&covered[0], &covered[1]], &signature) {
            return Err(Error::new("sgx/sigstruct: invalid signature"));
        }
        let modulus = key.modulus;
        let (q1, q2) = derive_q1_q2(&value, &modulus);
        if BigUint::from_bytes_le(&at::<MODULUS_BYTES>(bytes, 1040)?) != q1 {
            return Err(Error::new("sgx/sigstruct: invalid Q1"));
        }
        if BigUint::from_bytes_le(&at::<MODULUS_BYTES>(bytes, 1424)?) != q2 {
            return Err(Error::new("sgx/sigstruct: invalid Q2"));
        }
        Ok(Self {
            modulus,
            build_date: bcd_date(u32::from_le_bytes(at(bytes, 20)?))?,
            sw_defined: at(bytes, 40)?,
            misc_select: u32::from_le_bytes(at(bytes, 900)?),
            misc_select_mask: u32::from_le_bytes(at(bytes, 904)?),
            attributes: Attributes { flags: u64::from_le_bytes(at(bytes, 928)?), xfrm: u64::from_le_bytes(at(bytes, 936)?) },
            attributes_mask: [u64::from_le_bytes(at(bytes, 944)?), u64::from_le_bytes(at(bytes, 952)?)],
            enclave_hash: MrEnclave(at(bytes, 960)?),
            isv_prod_id: u16::from_le_bytes(at(bytes, 1024)?),
            isv_svn: u16::from_le_bytes(at(bytes, 1026)?),
        })
    }

    /// The signer.
    pub fn mr_signer(&self) -> Result<MrSigner, Error> {
        MrSigner::of_modulus(&self.modulus)
    }
}

/// Q1 = ⌊S² ÷ M⌋, Q2 = ⌊(S³ − Q1·S·M) ÷ M⌋ = ⌊S·(S² mod M) ÷ M⌋. The modulus is not zero.
///
/// Source: go/common/sgx/sigstruct/sigstruct.go, `deriveQ1Q2`.
#[allow(clippy::arithmetic_side_effects)] // Integers of any size; the modulus was found to have 3072 bits.
fn derive_q1_q2(signature: &BigUint, modulus: &BigUint) -> (BigUint, BigUint) {
    let square = signature * signature;
    let q1 = &square / modulus;
    let q2 = (square % modulus) * signature / modulus;
    (q1, q2)
}

/// Reads `yyyymmdd`, a decimal digit in four bits, and checks that there is such a day.
///
/// Source: go/common/sgx/sigstruct/sigstruct.go, `fromBcdDate`.
fn bcd_date(value: u32) -> Result<(u16, u8, u8), Error> {
    let malformed = || Error::new("sgx/sigstruct: malformed date");
    let text = format!("{value:08x}");
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed());
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<u16>().ok()).ok_or_else(malformed);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    if !(1..=12).contains(&month) || day < 1 || u32::from(day) > days_in(u32::from(month), u32::from(year)) {
        return Err(malformed());
    }
    Ok((year, u8::try_from(month).map_err(|_| malformed())?, u8::try_from(day).map_err(|_| malformed())?))
}

/// The number of days in a month, 1 to 12.
pub(super) fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
