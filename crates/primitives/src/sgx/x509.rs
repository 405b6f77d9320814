//! As much of X.509 as a report's certificate needs: issued by one known root, with an RSA key.
//!
//! Source: go/common/sgx/ias/avr.go, `validateAVRSignature`, and Go 1.17 `crypto/x509` as it calls it. What the root signed is well-formed, so that
//! only its signature, the times and the purpose are left to check; the root itself must be given byte by byte.

use num_bigint::BigUint;

use super::{Error, Time, rsa::RsaPublicKey, sigstruct::days_in, text};

/// Source: go/common/sgx/ias/certificates.go, `iasTrustRootCert`.
const INTEL_ROOT: &str = include_str!("intel_root.pem");

const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// keyUsage, basicConstraints, extKeyUsage: the extensions that may be critical.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
const EXT_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
/// serverAuth and anyExtendedKeyUsage, either of which allows the use.
const SERVER_AUTH: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const ANY_USAGE: [u8; 4] = [0x55, 0x1d, 0x25, 0x00];

fn malformed() -> Error {
    Error::new("ias/avr: failed to parse certificate: x509: malformed certificate")
}

/// Reads DER: definite lengths in their shortest form.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

/// An element: its tag, its content, and both with the length between them.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Der<'a> {
    fn next(&mut self) -> Result<Element<'a>, Error> {
        let data = self.0;
        let (&tag, rest) = data.split_first().ok_or_else(malformed)?;
        let (&first, rest) = rest.split_first().ok_or_else(malformed)?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or_else(malformed)?;
                let len = digits.iter().fold(0u32, |n, b| (n << 8) | u32::from(*b));
                if digits.first() == Some(&0) || len < 0x80 {
                    return Err(malformed());
                }
                (usize::try_from(len).map_err(|_| malformed())?, rest)
            }
            _ => return Err(malformed()),
        };
        let (content, after) = rest.split_at_checked(len).ok_or_else(malformed)?;
        let whole = data.get(..data.len().saturating_sub(after.len())).ok_or_else(malformed)?;
        self.0 = after;
        // High tag numbers do not occur.
        if tag & 0x1f == 0x1f { Err(malformed()) } else { Ok(Element { tag, content, whole }) }
    }

    fn expect(&mut self, tag: u8) -> Result<Element<'a>, Error> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(malformed()) }
    }

    fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Error> {
        if self.0.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }

    fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

struct Certificate<'a> {
    raw: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    not_before: i64,
    not_after: i64,
    key: RsaPublicKey,
    usable: bool,
}

impl<'a> Certificate<'a> {
    fn parse(raw: &'a [u8]) -> Result<Self, Error> {
        let mut outer = Der(raw);
        let mut certificate = Der(outer.expect(0x30)?.content);
        outer.end()?;
        let signed = certificate.expect(0x30)?;
        let algorithm = certificate.expect(0x30)?.whole;
        let signature = bit_string(certificate.expect(3)?.content)?;
        certificate.end()?;

        let mut tbs = Der(signed.content);
        tbs.optional(0xa0)?;
        tbs.expect(2)?;
        if tbs.expect(0x30)?.whole != algorithm {
            return Err(malformed());
        }
        let oid = Der(Der(algorithm).expect(0x30)?.content).expect(6)?.content;
        if oid != SHA256_WITH_RSA {
            return Err(Error::new("ias/avr: failed to parse certificate: unknown signature algorithm"));
        }
        let issuer = tbs.expect(0x30)?.whole;
        let mut validity = Der(tbs.expect(0x30)?.content);
        let (not_before, not_after) = (time(&validity.next()?)?, time(&validity.next()?)?);
        let subject = tbs.expect(0x30)?.whole;
        let key = public_key(tbs.expect(0x30)?.content)?;
        tbs.optional(0x81)?;
        tbs.optional(0x82)?;
        let usable = match tbs.optional(0xa3)? {
            Some(extensions) => extensions_allow(extensions.content)?,
            None => true,
        };
        tbs.end()?;
        Ok(Self { raw, signed: signed.whole, signature, issuer, subject, not_before, not_after, key, usable })
    }

    fn check_time(&self, at: Time) -> Result<(), Error> {
        let late = at > Time { seconds: self.not_after, nanos: 0 };
        if at.seconds < self.not_before || late {
            return Err(Error::new("ias/avr: failed to verify certificate chain: x509: certificate has expired or is not yet valid"));
        }
        Ok(())
    }
}

fn bit_string(content: &[u8]) -> Result<&[u8], Error> {
    content.strip_prefix(&[0]).ok_or_else(malformed)
}

/// An unsigned integer in its shortest form.
fn unsigned(content: &[u8]) -> Result<BigUint, Error> {
    match content {
        [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => Err(malformed()),
        digits => Ok(BigUint::from_bytes_be(digits)),
    }
}

fn public_key(info: &[u8]) -> Result<RsaPublicKey, Error> {
    let mut info = Der(info);
    let algorithm = Der(info.expect(0x30)?.content).expect(6)?.content;
    if algorithm != RSA_ENCRYPTION {
        return Err(Error::new("ias/avr: failed to parse certificate: unknown public key algorithm"));
    }
    let mut key = Der(Der(bit_string(info.expect(3)?.content)?).expect(0x30)?.content);
    info.end()?;
    let (modulus, exponent) = (unsigned(key.expect(2)?.content)?, unsigned(key.expect(2)?.content)?);
    key.end()?;
    Ok(RsaPublicKey { modulus, exponent: u32::try_from(exponent).map_err(|_| malformed())? })
}

/// Whether no unknown extension is critical and the extended key usage, where given, allows the use.
fn extensions_allow(content: &[u8]) -> Result<bool, Error> {
    let mut outer = Der(content);
    let mut list = Der(outer.expect(0x30)?.content);
    outer.end()?;
    let mut usable = true;
    while !list.0.is_empty() {
        let mut extension = Der(list.expect(0x30)?.content);
        let id = extension.expect(6)?.content;
        let critical = match extension.optional(1)? {
            Some(flag) => flag.content == [0xff],
            None => false,
        };
        let value = extension.expect(4)?.content;
        extension.end()?;
        if id == EXT_KEY_USAGE {
            let mut usages = Der(Der(value).expect(0x30)?.content);
            let mut allowed = false;
            while !usages.0.is_empty() {
                let usage = usages.expect(6)?.content;
                allowed |= usage == SERVER_AUTH || usage == ANY_USAGE;
            }
            usable &= allowed;
        } else if critical && id != KEY_USAGE && id != BASIC_CONSTRAINTS {
            usable = false;
        }
    }
    Ok(usable)
}

/// Seconds since the Unix epoch of a `UTCTime` (years 1950 to 2049) or a `GeneralizedTime`, in UTC.
fn time(element: &Element<'_>) -> Result<i64, Error> {
    let text = element.content.strip_suffix(b"Z").ok_or_else(malformed)?;
    let digits = text.iter().map(|b| b.checked_sub(b'0').filter(|d| *d < 10).map(u32::from)).collect::<Option<Vec<_>>>();
    let digits = digits.ok_or_else(malformed)?;
    let (year, rest) = match (element.tag, digits.as_slice()) {
        (0x17, [a, b, rest @ ..]) => {
            let year = a.saturating_mul(10).saturating_add(*b);
            (year.saturating_add(if year >= 50 { 1900 } else { 2000 }), rest)
        }
        (0x18, [a, b, c, d, rest @ ..]) => ([a, b, c, d].into_iter().fold(0u32, |n, d| n.saturating_mul(10).saturating_add(*d)), rest),
        _ => return Err(malformed()),
    };
    let pairs: Vec<u32> = rest.chunks(2).map(|pair| pair.iter().fold(0u32, |n, d| n.saturating_mul(10).saturating_add(*d))).collect();
    let ([month, day, hour, minute, second], 10) = (pairs.as_slice(), rest.len()) else { return Err(malformed()) };
    if !(1..=12).contains(month) || !(1..=days_in(*month, year)).contains(day) || *hour > 23 || *minute > 59 || *second > 59 {
        return Err(malformed());
    }
    let in_day = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(*second);
    Ok(days_since_epoch(year, *month, *day).saturating_mul(86_400).saturating_add(i64::from(in_day)))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_epoch(year: u32, month: u32, day: u32) -> i64 {
    let leap_days = |y: i64| (y.div_euclid(4)).saturating_sub(y.div_euclid(100)).saturating_add(y.div_euclid(400));
    // Days of full years since year 1 (719,162 to 1970), of full months, of the month.
    let full = i64::from(year).saturating_sub(1);
    let in_months: u32 = (1..month).map(|m| days_in(m, year)).fold(0, u32::saturating_add);
    full.saturating_mul(365)
        .saturating_add(leap_days(full))
        .saturating_add(i64::from(in_months))
        .saturating_add(i64::from(day))
        .saturating_sub(719_163)
}

/// Checks a message's signature (base64) and the chain (percent-encoded PEM, signing certificate and Intel's root) of its key.
///
/// Source: go/common/sgx/ias/avr.go, `validateAVRSignature`.
pub(super) fn verify_report_signature(message: &[u8], signature: &[u8], chain: &[u8], at: Time) -> Result<(), Error> {
    let pem = text::query_unescape(chain).ok_or_else(|| Error::new("ias/avr: failed to decode certificate chain"))?;
    let mut certificates = Vec::new();
    let mut rest = pem.as_slice();
    while let Some((block, after)) = text::next_pem(rest) {
        if block.label != b"CERTIFICATE" {
            return Err(Error::new("ias/avr: invalid PEM block type"));
        }
        certificates.push(block.bytes);
        rest = after;
    }
    let [signing, root] = certificates.as_slice() else {
        return Err(Error::new(format!("ias/avr: unexpected certificate chain length: {}", certificates.len())));
    };
    let (trusted, _) = text::next_pem(INTEL_ROOT.as_bytes()).ok_or_else(malformed)?;
    let trusted = Certificate::parse(&trusted.bytes)?;
    if root != trusted.raw {
        return Err(Error::new("ias/avr: unexpected root in certificate chain"));
    }
    let signing = Certificate::parse(signing)?;
    trusted.check_time(at)?;
    if signing.raw != trusted.raw {
        if signing.issuer != trusted.subject || !trusted.key.verify_sha256(&[signing.signed], signing.signature) {
            return Err(Error::new("ias/avr: failed to verify certificate chain: x509: certificate signed by unknown authority"));
        }
        signing.check_time(at)?;
        if !signing.usable {
            return Err(Error::new("ias/avr: failed to verify certificate chain: certificate is not for this use"));
        }
    }
    let signature = text::decode_base64(signature).ok_or_else(|| Error::new("ias/avr: failed to decode signature"))?;
    if !signing.key.verify_sha256(&[message], &signature) {
        return Err(Error::new("ias/avr: failed to verify AVR signature"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_parses_with_its_times() {
        let (block, _) = text::next_pem(INTEL_ROOT.as_bytes()).unwrap();
        let root = Certificate::parse(&block.bytes).unwrap();
        // 2016-11-14T15:37:31Z and 2049-12-31T23:59:59Z.
        assert_eq!((root.not_before, root.not_after), (1_479_137_851, 2_524_607_999));
        assert!(root.usable && root.key.verify_sha256(&[root.signed], root.signature));
    }

    #[test]
    fn days_count_from_the_epoch() {
        assert_eq!(days_since_epoch(1970, 1, 1), 0);
        assert_eq!(days_since_epoch(2000, 3, 1), 11_017);
        assert_eq!(days_since_epoch(1969, 12, 31), -1);
    }
}
