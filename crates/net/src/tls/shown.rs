//! The names in a certificate that a client has shown, and when it ends.

use breakwater_router::ShownCertificate;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// `CN`, and the types of text that it may be: UTF8String, PrintableString, IA5String.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The names in a certificate of DER that TLS has checked, and its end; `None` if it is none.
pub fn shown(certificate: &[u8]) -> Option<ShownCertificate> {
    let until = end_of(certificate)?;
    let certificate = CertificateDer::from_slice(certificate);
    let certificate = EndEntityCert::try_from(&certificate).ok()?;
    Some(ShownCertificate {
        common: common_names(certificate.subject()),
        uris: certificate.valid_uri_names().map(str::to_owned).collect(),
        dns: certificate.valid_dns_names().map(str::to_owned).collect(),
        until,
    })
}

/// The first millisecond at which a certificate does not count any more. Its form TLS has checked.
fn end_of(mut certificate: &[u8]) -> Option<i64> {
    const VERSION: u8 = 0xa0;
    let (_, mut whole) = element(&mut certificate)?;
    let (_, mut signed) = element(&mut whole)?;
    let (tag, _) = element(&mut signed)?;
    // Where a version stands first, the serial number is behind it; then its algorithm and its issuer.
    for _ in 0..if tag == VERSION { 3 } else { 2 } {
        element(&mut signed)?;
    }
    let (_, mut validity) = element(&mut signed)?;
    element(&mut validity)?;
    let (tag, text) = element(&mut validity)?;
    Some((seconds(tag, str::from_utf8(text).ok()?)? + 1) * 1000)
}

/// A time of DER, in Unix seconds: UTCTime (`YYMMDDHHMMSSZ`, from 1950 on) or GeneralizedTime, whose year
/// has four digits.
fn seconds(tag: u8, text: &str) -> Option<i64> {
    let (year, rest) = text.split_at_checked(if tag == 0x18 { 4 } else { 2 })?;
    let digits = rest.strip_suffix('Z').filter(|rest| rest.len() == 10)?;
    let part = |at: usize| digits.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let year = match year.parse::<i64>().ok()? {
        year if tag == 0x18 => year,
        year if year < 50 => 2000 + year,
        year => 1900 + year,
    };
    // Years begin with March, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + part(4)?) * 60 + part(6)?) * 60 + part(8)?)
}

/// Each `CN` of a subject: a sequence of sets of pairs.
fn common_names(mut subject: &[u8]) -> Vec<String> {
    let mut names = vec![];
    while let Some((_, mut set)) = element(&mut subject) {
        while let Some((_, mut pair)) = element(&mut set) {
            let kind = element(&mut pair);
            if let (Some((_, COMMON_NAME)), Some((tag, text))) = (kind, element(&mut pair))
                && TEXTS.contains(&tag)
                && let Ok(text) = str::from_utf8(text)
            {
                names.push(text.to_owned());
            }
        }
    }
    names
}

/// Takes an element of DER off, of less than 64 KB: its tag, and what is in it.
fn element<'a>(from: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, length, rest) = match **from {
        [tag, 0x81, length, ref rest @ ..] => (tag, usize::from(length), rest),
        [tag, 0x82, high, low, ref rest @ ..] => {
            (tag, usize::from(u16::from_be_bytes([high, low])), rest)
        }
        [tag, length @ ..=0x7f, ref rest @ ..] => (tag, usize::from(length), rest),
        _ => return None,
    };
    let (inside, behind) = rest.split_at_checked(length)?;
    *from = behind;
    Some((tag, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_certificates_are_read_to_the_second() {
        for (tag, text, expected) in [
            (0x17, "700101000000Z", 0),
            (0x17, "000229235959Z", 951_868_799),
            (0x17, "491231235959Z", 2_524_607_999),
            (0x17, "500101000000Z", -631_152_000),
            (0x18, "20500101000000Z", 2_524_608_000),
            (0x18, "21000301000000Z", 4_107_542_400),
            (0x18, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(tag, text), Some(expected), "{text}");
        }
        for text in ["", "Z", "7001010000Z", "700101000000", "70010100000xZ", "\u{e9}70101000000Z"]
        {
            assert_eq!(seconds(0x17, text), None, "{text}");
        }
    }
}
